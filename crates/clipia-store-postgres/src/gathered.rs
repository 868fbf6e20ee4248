//! Commands of one kind that share transactions: those that arrive while one is under way share the next one, and one commit. While a
//! transaction waits for a lock that another node has, it may take what arrives meanwhile.

use super::{Database, faults};
use clipia_store::StoreError;
use futures_util::future::BoxFuture;
use std::collections::{HashMap, VecDeque};
use std::future::{Future, ready};
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::task::task_tracker::TaskTrackerToken;

/// After which time a transaction may wait for a lock that the commands behind it do not need.
const SLOW: Duration = Duration::from_millis(50);

/// How long a transaction waits for more commands: this fraction of the time that the latest one took, and at most so long.
const PATIENCE: u32 = 4;
const PATIENCE_MAX: Duration = Duration::from_millis(3);

/// How many commands may wait. Beyond that callers wait for room.
const WAITING_MAX: usize = 4_096;

/// Where the result of a command goes.
type Answer<T, E> = oneshot::Sender<Result<T, E>>;

/// A command that waits, and where its result goes.
type Waiting<C, T, E> = (C, Answer<T, E>);

/// Takes commands `C`, each of which returns a `T` or an `E`.
pub(crate) struct Gathered<C, T, E>(mpsc::Sender<Waiting<C, T, E>>);

/// Commands of one transaction.
pub(crate) struct Shared<C> {
    commands: Vec<Arc<C>>,
    /// Where more come from; nothing where the commands are written once more, each alone.
    more: Option<More<C>>,
}

/// Where a transaction takes more commands.
struct More<C> {
    number: u64,
    asking: mpsc::UnboundedSender<Asking<C>>,
    /// All that the transaction has taken.
    all: Arc<Mutex<Vec<Arc<C>>>>,
}

/// A transaction asks for what waits and may join it.
struct Asking<C> {
    number: u64,
    /// How many it takes.
    room: usize,
    may_join: Box<dyn Fn(&C) -> bool + Send>,
    taken: oneshot::Sender<Vec<Arc<C>>>,
}

impl<C> Deref for Shared<C> {
    type Target = [Arc<C>];

    fn deref(&self) -> &[Arc<C>] {
        &self.commands
    }
}

impl<C> Shared<C> {
    /// Takes what waits by now and may join this transaction, so that `most` commands share it at most.
    pub(crate) async fn take_more(&mut self, most: usize, may_join: impl Fn(&C) -> bool + Send + 'static) {
        let Some(More { number, asking, all }) = &self.more else { return };
        let room = most.saturating_sub(self.commands.len());
        let (taken, took) = oneshot::channel();
        let asks = Asking { number: *number, room, may_join: Box::new(may_join), taken };
        if room == 0 || asking.send(asks).is_err() {
            return;
        }
        let more = took.await.unwrap_or_default();
        all.lock().unwrap_or_else(PoisonError::into_inner).extend(more.iter().map(Arc::clone));
        self.commands.extend(more);
    }
}

/// The results of commands that share a transaction, once it has committed. The next transaction does not wait for what is still to be done
/// for them.
pub(crate) type Written<T, E> = BoxFuture<'static, Result<Vec<Result<T, E>>, StoreError>>;

/// Results for which nothing is to be done.
pub(crate) fn at_once<T: Send + 'static, E: Send + 'static>(results: Vec<Result<T, E>>) -> Written<T, E> {
    Box::pin(ready(Ok(results)))
}

/// How commands are gathered.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// How many share a transaction at most.
    pub(crate) shared_max: usize,
    /// How many transactions are under way at the same time. Another one begins only where the one before is [`SLOW`]: it may wait for a
    /// lock that the others do not need.
    pub(crate) under_way_max: usize,
}

impl<C, T, E> Gathered<C, T, E>
where
    C: Send + Sync + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    /// Starts what writes them by `write`, which returns a result for each that shares the transaction. It ends with this value, once
    /// what was taken is written.
    pub(crate) fn start<W, Run>(database: &Arc<Database>, bounds: Bounds, write: W) -> Self
    where
        W: Fn(Arc<Database>, Shared<C>) -> Run + Copy + Send + Sync + 'static,
        Run: Future<Output = Result<Written<T, E>, StoreError>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        tokio::spawn(Service::new(Arc::clone(database), receiver, bounds).run(write));
        Self(sender)
    }

    /// The result of a command. It is [`StoreError::Closed`] where the store ends, or a command of its transaction panicked.
    pub(crate) async fn run(&self, command: C) -> Result<T, E> {
        let (answer, answered) = oneshot::channel();
        let closed = || Err(StoreError::Closed.into());
        match self.0.send((command, answer)).await {
            Ok(()) => answered.await.unwrap_or_else(|_| closed()),
            Err(_) => closed(),
        }
    }
}

/// What begins transactions, and gives each its commands.
struct Service<C, T, E> {
    database: Arc<Database>,
    arrivals: Arrivals<C, T, E>,
    bounds: Bounds,
    /// Where transactions ask for more.
    asking: mpsc::UnboundedSender<Asking<C>>,
    asked: mpsc::UnboundedReceiver<Asking<C>>,
    transactions: JoinSet<Ended<T, E>>,
    /// Where the results of the transactions under way go, by their numbers.
    answers: HashMap<u64, Vec<Answer<T, E>>>,
    /// The number of the latest transaction, and when it began.
    latest: (u64, Instant),
    last: Last,
}

/// A transaction that has ended.
struct Ended<T, E> {
    number: u64,
    took: Duration,
    /// Nothing where it panicked.
    written: Option<Written<T, E>>,
    /// The store closes when nothing is under way, and the answers are.
    _running: TaskTrackerToken,
}

impl<C, T, E> Service<C, T, E>
where
    C: Send + Sync + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    fn new(database: Arc<Database>, receiver: mpsc::Receiver<Waiting<C, T, E>>, bounds: Bounds) -> Self {
        let (asking, asked) = mpsc::unbounded_channel();
        Self {
            database,
            arrivals: Arrivals::new(receiver),
            bounds,
            asking,
            asked,
            transactions: JoinSet::new(),
            answers: HashMap::new(),
            latest: (0, Instant::now()),
            last: Last::default(),
        }
    }

    /// Writes what waits, until nothing can come any more and all is written.
    async fn run<W, Run>(mut self, write: W)
    where
        W: Fn(Arc<Database>, Shared<C>) -> Run + Copy + Send + Sync + 'static,
        Run: Future<Output = Result<Written<T, E>, StoreError>> + Send + 'static,
    {
        loop {
            let slow_at = self.latest.1 + SLOW;
            let under_way = self.transactions.len();
            let may_begin =
                under_way < self.bounds.under_way_max && (under_way == 0 || slow_at <= Instant::now());
            if may_begin && !self.arrivals.waiting.is_empty() {
                let commands = self.arrivals.gather(self.bounds.shared_max, self.last).await;
                self.begin(commands, write);
                continue;
            }
            let waits = !self.arrivals.waiting.is_empty();
            if !waits && self.arrivals.are_over && under_way == 0 {
                return;
            }
            tokio::select! {
                Some(Ok(ended)) = self.transactions.join_next() => self.end(ended),
                Some(asking) = self.asked.recv() => self.give(asking),
                // One that waits is enough to begin with.
                () = self.arrivals.next(), if !waits && !self.arrivals.are_over => {}
                () = sleep_until(slow_at), if waits && under_way < self.bounds.under_way_max => {}
            }
        }
    }

    /// Begins a transaction of these commands.
    fn begin<W, Run>(&mut self, waiting: Vec<Waiting<C, T, E>>, write: W)
    where
        W: Fn(Arc<Database>, Shared<C>) -> Run + Copy + Send + Sync + 'static,
        Run: Future<Output = Result<Written<T, E>, StoreError>> + Send + 'static,
    {
        let (number, began) = (self.latest.0 + 1, Instant::now());
        self.latest = (number, began);
        let (commands, answers): (Vec<_>, Vec<_>) =
            waiting.into_iter().map(|(command, answer)| (Arc::new(command), answer)).unzip();
        self.answers.insert(number, answers);
        let all = Arc::new(Mutex::new(commands.clone()));
        let more = More { number, asking: self.asking.clone(), all: Arc::clone(&all) };
        let database = Arc::clone(&self.database);
        self.transactions.spawn(async move {
            let running = database.running.token();
            // On a task of its own: a panic ends one transaction, and not the service.
            let writing = write_all(Arc::clone(&database), Shared { commands, more: Some(more) }, all, write);
            let written = database.running.spawn(writing).await.ok();
            Ended { number, took: began.elapsed(), written, _running: running }
        });
    }

    /// Gives a transaction what waits and may join it.
    fn give(&mut self, Asking { number, room, may_join, taken }: Asking<C>) {
        let Some(answers) = self.answers.get_mut(&number) else { return };
        let mut commands = Vec::new();
        for (command, answer) in self.arrivals.take(room, may_join) {
            commands.push(Arc::new(command));
            answers.push(answer);
        }
        // A transaction that panicked meanwhile takes nothing: the callers are told so, as those are whose commands it had.
        let _ = taken.send(commands);
    }

    /// Has the commands of a transaction answered.
    fn end(&mut self, Ended { number, took, written, _running }: Ended<T, E>) {
        let answers = self.answers.remove(&number).unwrap_or_default();
        self.last = Last { taken: answers.len(), took };
        self.database.running.spawn(answer(written, answers));
    }
}

/// Commands that have come and are in no transaction yet.
struct Arrivals<C, T, E> {
    receiver: mpsc::Receiver<Waiting<C, T, E>>,
    /// Those that were looked at.
    waiting: VecDeque<Waiting<C, T, E>>,
    /// Nothing comes any more.
    are_over: bool,
}

impl<C, T, E> Arrivals<C, T, E> {
    fn new(receiver: mpsc::Receiver<Waiting<C, T, E>>) -> Self {
        Self { receiver, waiting: VecDeque::new(), are_over: false }
    }

    /// Waits for the next command.
    async fn next(&mut self) {
        match self.receiver.recv().await {
            Some(next) => self.waiting.push_back(next),
            None => self.are_over = true,
        }
    }

    /// Looks at what has come, until so many wait.
    fn look(&mut self, most: usize) {
        while self.waiting.len() < most
            && let Ok(next) = self.receiver.try_recv()
        {
            self.waiting.push_back(next);
        }
    }

    /// What waits by now, `most` at most. If there is less than the latest transaction had, it waits a little: callers that were just
    /// answered usually come again, and the cost of a transaction hardly depends on how many share it.
    async fn gather(&mut self, most: usize, last: Last) -> Vec<Waiting<C, T, E>> {
        let end = Instant::now() + (last.took / PATIENCE).min(PATIENCE_MAX);
        loop {
            self.look(most);
            if self.waiting.len() >= most.min(last.taken) || self.are_over {
                break;
            }
            if timeout_at(end, self.next()).await.is_err() {
                break;
            }
        }
        self.waiting.drain(..self.waiting.len().min(most)).collect()
    }

    /// Those of what waits by now that may join a transaction, `room` at most. The others stay, in their order.
    fn take(&mut self, room: usize, may_join: impl Fn(&C) -> bool) -> Vec<Waiting<C, T, E>> {
        self.look(2 * room);
        let (mut taken, mut others) = (Vec::new(), VecDeque::with_capacity(self.waiting.len()));
        for of in self.waiting.drain(..) {
            match taken.len() < room && may_join(&of.0) {
                true => taken.push(of),
                false => others.push_back(of),
            }
        }
        self.waiting = others;
        taken
    }
}

/// The latest transaction that has ended.
#[derive(Clone, Copy, Default)]
struct Last {
    /// How many commands shared it.
    taken: usize,
    /// How long it took.
    took: Duration,
}

/// Answers commands with their results. Nothing was written of a transaction that panicked.
async fn answer<T, E: From<StoreError>>(written: Option<Written<T, E>>, answers: Vec<Answer<T, E>>) {
    let results = match written {
        Some(written) => {
            written.await.unwrap_or_else(|error| answers.iter().map(|_| Err(error.clone().into())).collect())
        }
        None => Vec::new(),
    };
    for (answer, result) in answers.into_iter().zip(results) {
        // The caller may have gone.
        let _ = answer.send(result);
    }
}

/// Writes commands in one transaction. If the database refuses it, each is written alone: one that is refused takes no other with it.
/// `all` are those that the transaction had in the end.
async fn write_all<C, T, E, W, Run>(
    database: Arc<Database>,
    together: Shared<C>,
    all: Arc<Mutex<Vec<Arc<C>>>>,
    write: W,
) -> Written<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    W: Fn(Arc<Database>, Shared<C>) -> Run,
    Run: Future<Output = Result<Written<T, E>, StoreError>>,
{
    let error = match write(Arc::clone(&database), together).await {
        Ok(written) => return written,
        Err(error) => error,
    };
    let all = std::mem::take(&mut *all.lock().unwrap_or_else(PoisonError::into_inner));
    if all.len() == 1 || !faults::has_refused(&error) {
        return at_once(all.iter().map(|_| Err(error.clone().into())).collect());
    }
    let mut results = Vec::with_capacity(all.len());
    for command in all {
        let alone = match write(Arc::clone(&database), Shared { commands: vec![command], more: None }).await {
            Ok(written) => written.await,
            Err(error) => Err(error),
        };
        results.push(match alone {
            Ok(mut alone) => alone.pop().unwrap_or_else(|| Err(StoreError::Panicked.into())),
            Err(error) => Err(error.into()),
        });
    }
    at_once(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commands are numbers.
    type Numbered = Waiting<u32, (), StoreError>;

    async fn send(sender: &mpsc::Sender<Numbered>, number: u32) {
        sender.send((number, oneshot::channel().0)).await.unwrap();
    }

    fn numbers(waiting: &[Numbered]) -> Vec<u32> {
        waiting.iter().map(|(number, _)| *number).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_transaction_waits_a_little_for_those_who_come_again() {
        let (sender, receiver) = mpsc::channel(8);
        let mut arrivals = Arrivals::new(receiver);
        let last = Last { taken: 3, took: Duration::from_millis(8) };
        let comes = async {
            for (after, number) in [(1, 2), (0, 3), (1, 4)] {
                tokio::time::sleep(Duration::from_millis(after)).await;
                send(&sender, number).await;
            }
        };
        send(&sender, 1).await;
        let began = Instant::now();
        let gathered = async { (numbers(&arrivals.gather(8, last).await), began.elapsed()) };
        let (gathered, ()) = tokio::join!(gathered, comes);
        assert_eq!(gathered, (vec![1, 2, 3], Duration::from_millis(1)));
        // The fourth has come meanwhile. Nobody else comes, and the wait has an end.
        let began = Instant::now();
        assert_eq!(numbers(&arrivals.gather(8, last).await), [4]);
        assert_eq!(began.elapsed(), Duration::from_millis(2));
        // No more than may share a transaction.
        send(&sender, 5).await;
        send(&sender, 6).await;
        assert_eq!(numbers(&arrivals.gather(1, last).await), [5]);
        assert_eq!(numbers(&arrivals.gather(1, last).await), [6]);
    }

    #[tokio::test]
    async fn those_that_may_not_join_a_transaction_keep_their_order() {
        let (sender, receiver) = mpsc::channel(8);
        let mut arrivals = Arrivals::new(receiver);
        for number in 1..=6 {
            send(&sender, number).await;
        }
        assert_eq!(numbers(&arrivals.take(2, |number| number % 2 == 0)), [2, 4]);
        assert_eq!(numbers(&arrivals.take(8, |number| *number > 5)), [6]);
        assert_eq!(numbers(&arrivals.gather(8, Last::default()).await), [1, 3, 5]);
    }
}
