//! The spool against a model of it: what was appended, what was noted, and how long the files are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

mod damage;

/// What may happen to a spool.
#[derive(Clone, Debug)]
enum Step {
    /// An entry of this length comes. It may take the place of the one that was taken last.
    Append {
        len: usize,
        replaces: bool,
    },
    Take,
    PutBack,
    Leave,
    Fetch,
    /// So many of those that are taken are done.
    Settle(usize),
    MakeRoom,
    Sync,
    /// The process dies. So many bytes are missing at the end of the segment that was being written.
    Crash {
        torn: u64,
    },
    /// The process dies while it notes what is done.
    CrashNoting {
        torn: u64,
    },
    /// The process ends in order.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0_usize..20_000, prop::bool::weighted(0.1))
            .prop_map(|(len, replaces)| Step::Append { len, replaces }),
        4 => Just(Step::Take),
        1 => Just(Step::PutBack),
        2 => Just(Step::Leave),
        1 => Just(Step::Fetch),
        4 => (1_usize..6).prop_map(Step::Settle),
        1 => Just(Step::MakeRoom),
        1 => Just(Step::Sync),
        1 => (0_u64..40_000).prop_map(|torn| Step::Crash { torn }),
        1 => (0_u64..64).prop_map(|torn| Step::CrashNoting { torn }),
        1 => Just(Step::Restart),
    ]
}

#[derive(Default)]
struct Model {
    /// All that was ever appended.
    bodies: BTreeMap<Ticket, Vec<u8>>,
    replaced_by: BTreeMap<Ticket, Ticket>,
    /// What was noted as done, of each segment in order.
    noted: BTreeMap<u32, Vec<Ticket>>,
    /// Replaced since something was noted last.
    replaced: Vec<Ticket>,
    waiting: BTreeSet<Ticket>,
    taken: Vec<Ticket>,
    left: BTreeSet<Ticket>,
}

struct World {
    directory: TempDir,
    spool: Option<Spool>,
    model: Model,
}

const MAX_BYTES: u64 = 512 << 10;

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (spool, found) = Spool::open(&directory.path().join("spool"), MAX_BYTES).unwrap();
        assert_eq!(found, Found::default());
        Self {
            directory,
            spool: Some(spool),
            model: Model::default(),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("spool")
    }

    fn spool(&self) -> &Spool {
        self.spool.as_ref().unwrap()
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Append { len, replaces } => self.append(len, replaces),
            Step::Take => {
                let oldest = self.model.waiting.pop_first();
                assert_eq!(self.spool().take_before(None), oldest);
                self.model.taken.extend(oldest);
            }
            Step::PutBack => {
                if let Some(ticket) = self.model.taken.pop() {
                    self.spool().put_back(ticket);
                    self.model.waiting.insert(ticket);
                }
            }
            Step::Leave => {
                if let Some(ticket) = self.model.taken.pop() {
                    assert!(self.spool().leave(ticket));
                    self.model.left.insert(ticket);
                }
            }
            Step::Fetch => {
                if let Some(ticket) = self.model.left.pop_first() {
                    assert!(self.spool().fetch(ticket));
                    self.model.taken.push(ticket);
                }
            }
            Step::Settle(count) => self.settle(count),
            Step::MakeRoom => self.make_room(50_000),
            Step::Sync => self.spool().sync().unwrap(),
            Step::Crash { torn } => self.crash(torn, 0),
            Step::CrashNoting { torn } => self.crash(0, torn),
            Step::Restart => {
                self.spool().close().unwrap();
                self.crash(0, 0);
            }
        }
        self.check();
    }

    fn append(&mut self, len: usize, replaces: bool) {
        self.make_room(len as u64);
        let seed = self.model.bodies.len() as u64 + 1;
        let body: Vec<u8> = (0..len as u64)
            .map(|n| (n.wrapping_mul(seed) >> 3) as u8)
            .collect();
        let replaces = replaces.then(|| self.model.taken.pop()).flatten();
        let (first, second) = body.split_at(len / 3);
        match self.spool().append(&[first, second], replaces) {
            Ok(ticket) => {
                let newest = self.model.bodies.last_key_value();
                assert!(newest.is_none_or(|(newest, _)| *newest < ticket));
                self.model.bodies.insert(ticket, body);
                self.model.taken.push(ticket);
                if let Some(replaced) = replaces {
                    self.model.replaced_by.insert(replaced, ticket);
                    self.model.replaced.push(replaced);
                }
            }
            Err(AppendError::Full(_)) => self.model.taken.extend(replaces),
            // A busy machine may have held an append up.
            Err(AppendError::Suspended) => self.model.taken.extend(replaces),
            Err(error) => panic!("{error}"),
        }
    }

    fn settle(&mut self, count: usize) {
        let model = &mut self.model;
        let count = count.min(model.taken.len());
        let tickets: Vec<_> = model.taken.drain(..count).collect();
        for ticket in model.replaced.drain(..).chain(tickets.iter().copied()) {
            model.noted.entry(ticket.segment).or_default().push(ticket);
        }
        self.spool().settle(&tickets).unwrap();
    }

    /// What has to go for more is the oldest, and nothing that somebody has.
    fn make_room(&mut self, bytes: u64) {
        let before = self.spool().usage();
        let lost = self.spool().make_room(bytes);
        assert!(lost == 0 || before.bytes + bytes > MAX_BYTES - 1000);
        let left: BTreeSet<_> = std::iter::from_fn(|| self.spool().take_before(None)).collect();
        for ticket in &left {
            self.spool().put_back(*ticket);
        }
        assert!(left.is_subset(&self.model.waiting));
        let owed = self.model.waiting.len() + self.model.left.len();
        self.model.waiting = left;
        let spool = self.spool.as_ref().unwrap();
        self.model.left.retain(|ticket| spool.has(*ticket));
        let kept = self.model.waiting.len() + self.model.left.len();
        assert_eq!(owed - kept, lost);
    }

    /// The process ends, bytes are missing at the end of the last segment's files, and another
    /// process begins.
    fn crash(&mut self, torn_calls: u64, torn_done: u64) {
        self.spool = None;
        if let Some(last) = self.segments().last() {
            shorten(&segment::calls(&self.path(), *last), torn_calls);
            let left = shorten(&segment::done(&self.path(), *last), torn_done) / u64::from(DONE);
            let noted = self.model.noted.entry(*last).or_default();
            noted.truncate(usize::try_from(left).unwrap());
        }
        let mut held = std::mem::take(&mut self.model.waiting);
        held.extend(self.model.taken.drain(..));
        held.append(&mut self.model.left);
        self.model.replaced = self.unnoted();
        self.model.waiting = self.on_disk();
        if torn_calls == 0 {
            assert!(held.is_subset(&self.model.waiting));
        }
        let (spool, found) = Spool::open(&self.path(), MAX_BYTES).unwrap();
        assert_eq!(found.damaged, 0);
        assert_eq!(found.entries, self.model.waiting.len());
        for ticket in &self.model.waiting {
            assert_eq!(spool.read(*ticket).unwrap(), self.model.bodies[ticket]);
        }
        self.spool = Some(spool);
        // Once the directory is empty, numbers begin anew.
        let segments = self.segments();
        let is_there = |ticket: &Ticket| segments.contains(&ticket.segment);
        self.model.bodies.retain(|ticket, _| is_there(ticket));
        self.model
            .noted
            .retain(|number, _| segments.contains(number));
        self.model
            .replaced_by
            .retain(|replaced, by| is_there(replaced) && is_there(by));
    }

    /// What the files say is not done.
    fn on_disk(&self) -> BTreeSet<Ticket> {
        let is_replaced = |ticket: &Ticket| {
            let by = self.model.replaced_by.get(ticket);
            by.is_some_and(|by| self.is_whole(by))
        };
        let tickets = self.model.bodies.keys().copied();
        tickets
            .filter(|ticket| {
                self.is_whole(ticket) && !self.is_noted(ticket) && !is_replaced(ticket)
            })
            .collect()
    }

    /// What was replaced by what is there, and was not noted as done.
    fn unnoted(&self) -> Vec<Ticket> {
        let pairs = self.model.replaced_by.iter();
        let mut pairs: Vec<_> = pairs.map(|(ticket, by)| (*by, *ticket)).collect();
        pairs.retain(|(by, ticket)| {
            self.is_whole(by) && self.is_whole(ticket) && !self.is_noted(ticket)
        });
        pairs.sort_unstable();
        pairs.into_iter().map(|(_, ticket)| ticket).collect()
    }

    fn is_whole(&self, ticket: &Ticket) -> bool {
        let file = std::fs::metadata(segment::calls(&self.path(), ticket.segment));
        let end = ticket.offset as usize + HEAD + self.model.bodies[ticket].len();
        file.is_ok_and(|file| file.len() >= end as u64)
    }

    fn is_noted(&self, ticket: &Ticket) -> bool {
        let noted = self.model.noted.get(&ticket.segment);
        noted.is_some_and(|noted| noted.contains(ticket))
    }

    fn segments(&self) -> Vec<u32> {
        let names = std::fs::read_dir(self.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let numbers = names.filter_map(|name| name.strip_suffix(".calls")?.parse().ok());
        let mut numbers: Vec<_> = numbers.collect();
        numbers.sort_unstable();
        numbers
    }

    fn check(&self) {
        let usage = self.spool().usage();
        let waiting = self.model.waiting.len();
        let others = self.model.taken.len() + self.model.left.len();
        assert_eq!((usage.waiting, usage.entries), (waiting, waiting + others));
        assert_eq!(usage.oldest.is_some(), usage.entries > 0);
        let files = std::fs::read_dir(self.path()).unwrap();
        let files = files.map(|file| file.unwrap());
        let on_disk: u64 = files
            .filter(|file| file.file_name() != "lock")
            .map(|file| file.metadata().unwrap().len())
            .sum();
        assert!(on_disk <= usage.bytes, "{on_disk} {usage:?}");
        // Notes may be written past the bound: it is what makes room.
        assert!(usage.bytes <= MAX_BYTES + 10_000, "{usage:?}");
    }
}

/// Takes bytes off a file's end, and answers how many are left.
fn shorten(path: &Path, bytes: u64) -> u64 {
    let Ok(file) = OpenOptions::new().write(true).open(path) else {
        return 0;
    };
    let left = file.metadata().unwrap().len().saturating_sub(bytes);
    file.set_len(left).unwrap();
    left
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_as_the_model_does(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
        }
        world.run(&Step::Crash { torn: 0 });
    }
}
