//! Claims of one queue that share a transaction. Workers of a node that come free together would otherwise wait for each other, since
//! a claim locks the head of its queue.

use super::claim;
use crate::Database;
use crate::gathered::{Bounds, Gathered, Shared, Written, at_once};
use crate::writing::Writing;
use clipia_store::{AccountId, Claim, ClaimPast, Holder, StoreError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// One transaction of a queue at a time.
const BOUNDS: Bounds = Bounds { shared_max: 64, under_way_max: 1 };

/// A claim that somebody asks for.
#[derive(Clone, PartialEq, Eq)]
struct Asked {
    queue: String,
    holder: Holder,
    limit: usize,
    full: Vec<AccountId>,
}

/// Takes claims of one queue.
type OfQueue = Gathered<Asked, ClaimPast, StoreError>;

/// Takes claims.
#[derive(Default)]
pub(crate) struct Claims(Mutex<HashMap<String, Arc<OfQueue>>>);

impl Claims {
    /// Claims the first requests of a queue.
    pub(crate) async fn claim(
        &self,
        database: &Arc<Database>,
        queue: &str,
        holder: Holder,
        limit: usize,
        full: Vec<AccountId>,
    ) -> Result<ClaimPast, StoreError> {
        let of_queue = {
            let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let start = || Arc::new(Gathered::start(database, BOUNDS, write_together));
            Arc::clone(queues.entry(queue.to_owned()).or_insert_with(start))
        };
        of_queue.run(Asked { queue: queue.to_owned(), holder, limit, full }).await
    }
}

async fn write_together(
    database: Arc<Database>,
    asked: Shared<Asked>,
) -> Result<Written<ClaimPast, StoreError>, StoreError> {
    if let Some(first) = asked.first() {
        database.read_bounds(&first.queue).await?;
    }
    let w = Writing::begin(database.connection().await?, Arc::clone(&database.memory));
    let claimed = match claim_all(&w, &asked).await {
        Ok(claimed) => claimed,
        Err(error) => {
            w.roll_back().await;
            return Err(error);
        }
    };
    w.commit(asked.len()).await?;
    Ok(at_once(claimed.into_iter().map(Ok).collect()))
}

/// Claims for all who ask. Those who ask for the same take from one claim, the first one first.
async fn claim_all(w: &Writing, asked: &[Asked]) -> Result<Vec<ClaimPast>, StoreError> {
    let mut all: Vec<ClaimPast> = asked.iter().map(|_| ClaimPast::default()).collect();
    let mut left: Vec<usize> = (0..asked.len()).collect();
    while let Some(Asked { queue, holder, full, .. }) = left.first().map(|first| &asked[*first]) {
        let alike = |of: &usize| asked[*of].holder == *holder && asked[*of].full == *full;
        let (these, others): (Vec<usize>, Vec<usize>) = left.iter().copied().partition(alike);
        let limit = these.iter().map(|of| asked[*of].limit).sum();
        let ClaimPast { claims, aside, more } = claim(w, queue, holder, limit, full).await?;
        let mut claims = claims.into_iter();
        for of in &these {
            let of_one: Vec<Claim> = claims.by_ref().take(asked[*of].limit).collect();
            // Whoever gets nothing looks again if there may be more.
            all[*of] = ClaimPast { claims: of_one, aside: aside.clone(), more };
        }
        left = others;
    }
    Ok(all)
}
