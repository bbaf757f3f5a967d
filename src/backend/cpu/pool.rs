//! Threads that share the tasks of one job at a time. Which thread runs a task has no influence on any result.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// Looks for work that many times before it sleeps: for about a tenth of a millisecond.
const SPINS: usize = 8_000;

/// The lower half of a job that gives out no more tasks.
const CLOSED: u64 = 0xffff_ffff;

/// A job is a closure over its task's number. Its number and the next task stand in one word, so that a thread that comes late
/// cannot take a task of another job.
#[derive(Default)]
struct Shared {
    /// Job in the upper half, next task in the lower
    next: AtomicU64,
    tasks: AtomicUsize,
    done: AtomicUsize,
    /// The closure and the function that calls it
    context: AtomicUsize,
    call: AtomicUsize,
    stop: AtomicBool,
}

#[derive(Default)]
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<Worker>,
    job: u64,
}

struct Worker {
    handle: JoinHandle<()>,
    asleep: Arc<AtomicBool>,
}

impl Pool {
    /// A pool of that many threads, the caller's included.
    pub fn new(threads: usize) -> Pool {
        let shared = Arc::new(Shared::default());
        let worker = |thread| {
            let (shared, asleep) = (shared.clone(), Arc::new(AtomicBool::new(false)));
            let flag = asleep.clone();
            Worker { handle: std::thread::spawn(move || work(&shared, &flag, thread)), asleep }
        };
        let workers = (1..threads).map(worker).collect();
        Pool { shared, workers, job: 0 }
    }

    /// Threads, the caller's included.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `task(0, _) .. task(tasks - 1, _)`, in any order and at the same time, with the number of the thread: 0 is the caller.
    pub fn run<F: Fn(usize, usize) + Sync>(&mut self, tasks: usize, task: &F) {
        if self.workers.is_empty() || tasks < 2 {
            return (0..tasks).for_each(|number| task(number, 0));
        }
        let shared = &*self.shared;
        self.job += 1;
        // Close the last job before its fields change: who reads a new field sees that nothing is left to take
        shared.next.store((self.job - 1) << 32 | CLOSED, Ordering::SeqCst);
        shared.tasks.store(tasks, Ordering::Release);
        shared.done.store(0, Ordering::Relaxed);
        shared.context.store(task as *const F as usize, Ordering::Relaxed);
        shared.call.store(call::<F> as *const () as usize, Ordering::Relaxed);
        shared.next.store(self.job << 32, Ordering::SeqCst);
        for worker in self.workers.iter().take(tasks - 1) {
            if worker.asleep.load(Ordering::SeqCst) {
                worker.handle.thread().unpark();
            }
        }
        take_tasks(shared, self.job, 0);
        let mut spins = 0usize;
        while shared.done.load(Ordering::Acquire) < tasks {
            spins += 1;
            if spins > SPINS { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for worker in self.workers.drain(..) {
            worker.handle.thread().unpark();
            // A worker runs no code that could panic but the tasks, whose panics abort at the boundary of `call`
            let _ = worker.handle.join();
        }
    }
}

/// Calls the closure behind `context`.
extern "C" fn call<F: Fn(usize, usize) + Sync>(context: usize, task: usize, thread: usize) {
    // SAFETY: `run` holds the closure borrowed until all tasks are done, and only tasks of its own job get here.
    let closure = unsafe { &*(context as *const F) };
    closure(task, thread);
}

/// Runs tasks of a job while there are any.
fn take_tasks(shared: &Shared, job: u64, thread: usize) {
    let tasks = shared.tasks.load(Ordering::Acquire) as u64;
    let (context, function) = (shared.context.load(Ordering::Relaxed), shared.call.load(Ordering::Relaxed));
    loop {
        let next = shared.next.load(Ordering::SeqCst);
        let task = next & CLOSED;
        if next >> 32 != job || task >= tasks || task == CLOSED {
            return;
        }
        if shared.next.compare_exchange(next, next + 1, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            // SAFETY: the exchange succeeded, so this job still has a task open, and what was read above is of this job.
            let function = unsafe { std::mem::transmute::<usize, extern "C" fn(usize, usize, usize)>(function) };
            function(context, task as usize, thread);
            shared.done.fetch_add(1, Ordering::Release);
        }
    }
}

/// The life of a worker: look for a new job, for a while at full speed, then asleep.
fn work(shared: &Shared, asleep: &AtomicBool, thread: usize) {
    let mut seen = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        let mut spins = 0;
        while shared.next.load(Ordering::SeqCst) >> 32 == seen && !shared.stop.load(Ordering::Relaxed) {
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
                continue;
            }
            asleep.store(true, Ordering::SeqCst);
            if shared.next.load(Ordering::SeqCst) >> 32 == seen && !shared.stop.load(Ordering::SeqCst) {
                std::thread::park();
            }
            asleep.store(false, Ordering::SeqCst);
        }
        seen = shared.next.load(Ordering::SeqCst) >> 32;
        take_tasks(shared, seen, thread);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once() {
        let mut pool = Pool::new(3);
        for tasks in [1, 2, 7, 100] {
            let counts: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
            pool.run(tasks, &|task, _| {
                counts[task].fetch_add(1, Ordering::Relaxed);
            });
            assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
        }
    }
}
