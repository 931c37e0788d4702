//! The pool of workers, joined to the session: the session's own worker is the first of the pool.

use leptos::prelude::*;

use super::Session;
use crate::browser::{self, keep};
use crate::pool::capacity::Capacity;
use crate::pool::{Pool, PoolModel};
use crate::switches::Switches;

/// How many workers there may be, and how many a job is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workers {
    /// What the device carries.
    pub capacity: Capacity,
    /// How many a job is done with.
    pub chosen: usize,
}

/// A pool for this device, with the number of workers that was chosen on the last visit.
pub(super) fn pool() -> Pool {
    let pool = Pool::new(browser::device(), Switches::of_page().pool_worker_stops_after);
    pool.set_workers(kept_choice());
    pool
}

fn kept_choice() -> Option<usize> {
    browser::kept(keep::WORKERS)?.parse().ok()
}

impl Session {
    /// The pool: it classifies many texts with all the workers that the device carries, while typed texts still come
    /// first. See [`crate::pool`].
    pub fn pool(self) -> Pool {
        self.pool.get_value()
    }

    /// Has jobs done with so many workers, now and on the next visit.
    pub fn set_workers(self, count: usize) {
        self.pool().set_workers(Some(count));
        // Where nothing is kept, the choice holds for this visit.
        browser::keep_value(keep::WORKERS, &count.to_string());
        self.workers_changed();
    }

    /// Goes back to the person's choice after measuring with other numbers.
    pub(super) fn restore_workers(self) {
        self.pool().set_workers(kept_choice());
        self.workers_changed();
    }

    /// The pool's first worker has a model.
    pub(super) fn pool_loaded(self, info: &candor::protocol::ModelInfo, file: &str) {
        self.pool().session_loaded(PoolModel::new(info, file));
        self.workers_changed();
    }

    fn workers_changed(self) {
        let pool = self.pool();
        let workers = pool.capacity().map(|capacity| Workers { capacity, chosen: pool.workers() });
        self.workers.set(workers);
    }
}
