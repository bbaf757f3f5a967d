//! Threads that share the tasks of one job at a time. Which thread runs a task has no influence on any result.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// Looks for work that many times before it sleeps: for about a tenth of a millisecond.
const SPINS: usize = 8_000;

/// The lower half of a word, and what stands there in a range that gives out no more tasks.
const LOWER: u64 = 0xffff_ffff;
const CLOSED: u64 = LOWER;

/// Alone in its cache line, and in the one that is fetched beside it: a thread that writes it takes nothing from another.
#[derive(Default)]
#[repr(align(128))]
struct Apart<T>(T);

/// A job is a closure over its task's number. Each thread has a range of its tasks, the same one in all jobs with as many tasks, so that
/// it finds in its cache what it wrote before; who has none left takes from the others.
struct Shared {
    job: Apart<Job>,
    /// Of each thread the job in the upper half, the tasks of its range that are taken in the lower: a thread that comes late cannot
    /// take a task of another job
    ranges: Vec<Apart<AtomicU64>>,
    /// Of each thread the job in the upper half, the tasks that it has done in the lower
    done: Vec<Apart<AtomicU64>>,
    stop: AtomicBool,
}

#[derive(Default)]
struct Job {
    number: AtomicU64,
    tasks: AtomicUsize,
    /// The closure and the function that calls it
    context: AtomicUsize,
    call: AtomicUsize,
}

pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<Worker>,
    job: u64,
}

impl Default for Pool {
    /// Of the caller alone.
    fn default() -> Pool {
        Pool::new(1)
    }
}

struct Worker {
    handle: JoinHandle<()>,
    asleep: Arc<AtomicBool>,
}

impl Pool {
    /// A pool of that many threads, the caller's included.
    pub fn new(threads: usize) -> Pool {
        let apart = || (0..threads).map(|_| Apart::default()).collect();
        let shared = Arc::new(Shared { job: Apart::default(), ranges: apart(), done: apart(), stop: AtomicBool::new(false) });
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
        let last = self.job;
        self.job = (last + 1) & LOWER;
        if self.job == 0 {
            // The numbers of jobs come again: what was done under them before does not count
            shared.done.iter().for_each(|done| done.0.store(last << 32, Ordering::SeqCst));
        }
        let Job { number, tasks: count, context, call: function } = &shared.job.0;
        // Close the last job before its fields change: who reads a new field sees that nothing is left to take
        shared.ranges.iter().for_each(|range| range.0.store(last << 32 | CLOSED, Ordering::SeqCst));
        count.store(tasks, Ordering::Release);
        context.store(task as *const F as usize, Ordering::Release);
        function.store(call::<F> as *const () as usize, Ordering::Release);
        shared.ranges.iter().for_each(|range| range.0.store(self.job << 32, Ordering::SeqCst));
        number.store(self.job, Ordering::SeqCst);
        for worker in self.workers.iter().take(tasks - 1) {
            if worker.asleep.load(Ordering::SeqCst) {
                worker.handle.thread().unpark();
            }
        }
        take_tasks(shared, self.job, 0);
        let mut spins = 0usize;
        while shared.done(self.job) < tasks {
            spins += 1;
            if spins > SPINS { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
    }
}

impl Shared {
    /// How many tasks of a job are done.
    fn done(&self, job: u64) -> usize {
        let of_job = |done: &Apart<AtomicU64>| Some(done.0.load(Ordering::Acquire)).filter(|done| done >> 32 == job);
        self.done.iter().filter_map(of_job).map(|done| (done & LOWER) as usize).sum()
    }

    /// The next task of a thread's range.
    fn take(&self, job: u64, owner: usize, tasks: usize) -> Option<usize> {
        let owners = self.ranges.len().min(tasks);
        if owner >= owners {
            return None;
        }
        let (first, end) = (owner * tasks / owners, (owner + 1) * tasks / owners);
        let range = &self.ranges[owner].0;
        loop {
            let taken = range.load(Ordering::SeqCst);
            let task = first + (taken & LOWER) as usize;
            if taken >> 32 != job || task >= end {
                return None;
            }
            if range.compare_exchange(taken, taken + 1, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                return Some(task);
            }
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

/// Runs tasks of a job while there are any: those of the thread's own range, then what is left of others.
fn take_tasks(shared: &Shared, job: u64, thread: usize) {
    let Job { tasks, context, call, .. } = &shared.job.0;
    let tasks = tasks.load(Ordering::Acquire);
    let (context, function) = (context.load(Ordering::Acquire), call.load(Ordering::Acquire));
    let threads = shared.ranges.len();
    let mut done = 0;
    for owner in (thread..threads).chain(0..thread) {
        while let Some(task) = shared.take(job, owner, tasks) {
            // SAFETY: a task of this job was open, so the job is not over, and what was read above is of this job.
            let function = unsafe { std::mem::transmute::<usize, extern "C" fn(usize, usize, usize)>(function) };
            function(context, task, thread);
            done += 1;
            shared.done[thread].0.store(job << 32 | done, Ordering::Release);
        }
    }
}

/// The life of a worker: look for a new job, for a while at full speed, then asleep.
fn work(shared: &Shared, asleep: &AtomicBool, thread: usize) {
    let mut seen = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        let mut spins = 0;
        while shared.job.0.number.load(Ordering::SeqCst) == seen && !shared.stop.load(Ordering::Relaxed) {
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
                continue;
            }
            asleep.store(true, Ordering::SeqCst);
            if shared.job.0.number.load(Ordering::SeqCst) == seen && !shared.stop.load(Ordering::SeqCst) {
                std::thread::park();
            }
            asleep.store(false, Ordering::SeqCst);
        }
        seen = shared.job.0.number.load(Ordering::SeqCst);
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

    #[test]
    fn numbers_of_jobs_come_again() {
        let mut pool = Pool::new(3);
        pool.job = LOWER - 20;
        for tasks in (1..60).map(|job| 1 + job % 9) {
            let count = AtomicUsize::new(0);
            pool.run(tasks, &|_, _| _ = count.fetch_add(1, Ordering::Relaxed));
            assert_eq!(count.load(Ordering::Relaxed), tasks);
        }
    }
}
