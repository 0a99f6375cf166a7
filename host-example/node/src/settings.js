// Where settings come from.

/** Alternatives: of each line, settings of one side only are used. */
const ALTERNATIVES = [
  [['experiment_name'], ['experiment_id']],
  [['token'], ['username', 'password']],
];

/** As in every host: what is left out is taken from MLflow's own environment variables. */
export function withEnvironment(given, known) {
  const set = (side) => side.some((key) => key in given);
  const excluded = ALTERNATIVES.flatMap(([one, other]) => (set(one) ? other : set(other) ? one : []));
  const found = known
    .filter(({ key, env }) => env && process.env[env] && !(key in given) && !excluded.includes(key))
    .map(({ key, env }) => [key, process.env[env]]);
  return { ...Object.fromEntries(found), ...given };
}
