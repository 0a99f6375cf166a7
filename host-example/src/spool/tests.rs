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
    /// The same, but for the oldest.
    SettleNewest(usize),
    MakeRoom,
    /// What is left of old segments is brought together.
    Gather,
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
        3 => Just(Step::Gather),
        1 => Just(Step::Sync),
        1 => (0_u64..40_000).prop_map(|torn| Step::Crash { torn }),
        1 => (0_u64..64).prop_map(|torn| Step::CrashNoting { torn }),
        1 => Just(Step::Restart),
    ]
}

/// What may happen where some entries stay for long.
fn step_where_some_stay() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (2_000_usize..9_000).prop_map(|len| Step::Append { len, replaces: false }),
        10 => (1_usize..4).prop_map(Step::SettleNewest),
        2 => Just(Step::Gather),
        1 => step(),
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
    /// The tickets that were handed out for entries which have been moved since.
    names: BTreeMap<Ticket, Ticket>,
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
                    self.spool().put_back(self.name(ticket));
                    self.model.waiting.insert(ticket);
                }
            }
            Step::Leave => {
                if let Some(ticket) = self.model.taken.pop() {
                    assert!(self.spool().leave(self.name(ticket)));
                    self.model.left.insert(ticket);
                }
            }
            Step::Fetch => {
                if let Some(ticket) = self.model.left.pop_first() {
                    assert!(self.spool().fetch(self.name(ticket)));
                    self.model.taken.push(ticket);
                }
            }
            Step::Settle(count) => self.settle(0, count),
            Step::SettleNewest(count) => self.settle(2, count),
            Step::MakeRoom => self.make_room(50_000),
            Step::Gather => self.gather(),
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
        let replaced = replaces.map(|ticket| self.name(ticket));
        match self.spool().append(&[first, second], replaced) {
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

    fn settle(&mut self, first: usize, count: usize) {
        let model = &mut self.model;
        let first = first.min(model.taken.len());
        let count = count.min(model.taken.len() - first);
        let tickets: Vec<_> = model.taken.drain(first..first + count).collect();
        for ticket in model.replaced.drain(..).chain(tickets.iter().copied()) {
            model.noted.entry(ticket.segment).or_default().push(ticket);
        }
        let tickets: Vec<_> = tickets
            .into_iter()
            .map(|ticket| self.name(ticket))
            .collect();
        self.spool().settle(&tickets).unwrap();
    }

    /// The ticket that somebody has for an entry.
    fn name(&self, ticket: Ticket) -> Ticket {
        self.model.names.get(&ticket).copied().unwrap_or(ticket)
    }

    /// Entries are somewhere else, and are found by the tickets from before.
    fn gather(&mut self) {
        let before = self.spool().usage();
        self.spool().gather();
        let owed = self.model.taken.iter().chain(&self.model.left);
        let owed: BTreeSet<_> = owed.copied().collect();
        for ticket in owed {
            let name = self.name(ticket);
            let place = self.spool().index.lock().place(name);
            assert_eq!(self.spool().read(name).unwrap(), self.model.bodies[&ticket]);
            if place == ticket {
                continue;
            }
            let model = &mut self.model;
            model.names.remove(&ticket);
            model.names.insert(place, name);
            model.bodies.insert(place, model.bodies[&ticket].clone());
            model.replaced_by.insert(ticket, place);
            model.replaced.push(ticket);
            if model.left.remove(&ticket) {
                model.left.insert(place);
            }
            let taken = model.taken.iter_mut().find(|taken| **taken == ticket);
            taken.into_iter().for_each(|taken| *taken = place);
        }
        assert!(self.spool().usage().bytes <= before.bytes);
    }

    /// What has to go for more is the oldest, and nothing that somebody has.
    fn make_room(&mut self, bytes: u64) {
        let before = self.spool().usage();
        let lost = self.spool().make_room(bytes);
        assert!(lost == 0 || before.bytes + bytes > MAX_BYTES - MAX_BYTES / RESERVE - 1000);
        let left: BTreeSet<_> = std::iter::from_fn(|| self.spool().take_before(None)).collect();
        for ticket in &left {
            self.spool().put_back(*ticket);
        }
        assert!(left.is_subset(&self.model.waiting));
        let owed = self.model.waiting.len() + self.model.left.len();
        self.model.waiting = left;
        let spool = self.spool.as_ref().unwrap();
        let names = &self.model.names;
        self.model
            .left
            .retain(|ticket| spool.has(*names.get(ticket).unwrap_or(ticket)));
        let kept = self.model.waiting.len() + self.model.left.len();
        assert_eq!(owed - kept, lost);
    }

    /// The process ends, bytes are missing at the end of the last segment's files, and another
    /// process begins.
    fn crash(&mut self, torn_calls: u64, torn_done: u64) {
        self.spool = None;
        if let Some(last) = self.segments().last() {
            shorten(&segment::calls(&self.path(), *last), torn_calls);
            let left =
                shorten(&segment::done(&self.path(), *last), torn_done) / u64::from(segment::DONE);
            let noted = self.model.noted.entry(*last).or_default();
            noted.truncate(usize::try_from(left).unwrap());
        }
        let mut held = std::mem::take(&mut self.model.waiting);
        held.extend(self.model.taken.drain(..));
        held.append(&mut self.model.left);
        self.model.replaced = self.unnoted();
        self.model.names.clear();
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

/// One entry in each segment stays for good, as a call that is on trial does.
#[test]
fn entries_that_stay_leave_room_for_others() {
    let world = World::new();
    let spool = world.spool();
    let (mut stay, mut done) = (Vec::new(), Vec::new());
    for number in 0..4_000_u32 {
        let body = number.to_le_bytes().repeat(500);
        let ticket = spool.append(&[&body], None).unwrap();
        if number % 100 == 0 {
            stay.push((ticket, body));
        } else {
            done.push(ticket);
        }
        if number % 20 == 19 {
            spool.settle(&std::mem::take(&mut done)).unwrap();
            spool.gather();
        }
    }
    let usage = spool.usage();
    assert_eq!(usage.entries, stay.len());
    assert!(usage.bytes <= MAX_BYTES / 2 + (64 << 10), "{usage:?}");
    for (ticket, body) in &stay {
        assert_eq!(spool.read(*ticket).unwrap(), *body);
    }
    // Twelve of them are done by the tickets of long ago, and the others are there in another process.
    let (over, left) = stay.split_at(12);
    spool
        .settle(&over.iter().map(|(ticket, _)| *ticket).collect::<Vec<_>>())
        .unwrap();
    let path = world.path();
    let World {
        directory, spool, ..
    } = world;
    drop(spool);
    let (spool, found) = Spool::open(&path, MAX_BYTES).unwrap();
    assert_eq!(found.entries, left.len());
    let bodies = std::iter::from_fn(|| spool.take_before(None)).map(|ticket| spool.read(ticket));
    let mut bodies: Vec<_> = bodies.map(|body| body.unwrap()).collect();
    bodies.sort_unstable();
    let mut expected: Vec<_> = left.iter().map(|(_, body)| body.clone()).collect();
    expected.sort_unstable();
    assert!(bodies == expected);
    drop(directory);
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

    #[test]
    fn it_does_as_the_model_does_where_some_stay(
        steps in prop::collection::vec(step_where_some_stay(), 200..400),
    ) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
        }
        world.run(&Step::Crash { torn: 0 });
    }
}
