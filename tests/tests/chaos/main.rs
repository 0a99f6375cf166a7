//! The gateway with everything going wrong around it: a real MLflow that is down, slow or refuses, kills,
//! full disks, more calls than can be stored. Each test ends with a line that counts.
//!
//! They take minutes, so that they are run by `cargo xtask test` and `cargo xtask test --only chaos`, or by
//! `cargo test --release -p e2e --test chaos -- --ignored`, and not with the other tests of this crate.
//!
//! What is random follows from a seed, which is printed; `CHAOS_SEED` sets it.

mod clock;
mod crowd;
mod disk;
mod faults;
mod kills;
mod mount;
mod outage;
mod overload;
mod play;
mod poison;
mod tls;
mod unreachable;
