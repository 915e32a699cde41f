//! What the cache is put through: killed at every system call, refused by the
//! system at every one, damaged bit by bit, shared with processes that die. The
//! real binary against the scripted origin of the stories; a short form in
//! `make test`, the long one in `make torture`. And the
//! sound server, when every core is busy.

mod damage;
mod kill;
mod refuse;
mod scene;
mod several;
mod sound;
mod tracer;
#[path = "../stories"]
#[expect(dead_code, reason = "the stories use the rest")]
mod stories {
    pub mod fixtures;
    pub mod origin;
    pub mod sandbox;
    pub mod sine;
    pub mod soundserver;
}

use stories::fixtures::{bytes, fixture};
