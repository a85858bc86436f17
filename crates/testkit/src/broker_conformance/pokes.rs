//! Pokes between processes.

use std::time::Duration;

use agenticai_broker::{Broker, Poke};
use agenticai_domain::ids::TaskId;
use tokio::sync::broadcast::Receiver;
use tokio::time::{Instant, timeout};

use super::{Pair, SOON, next, task};

/// Waits until pokes cross: a process begins to hear them a moment after it has asked.
async fn hear(from: &dyn Broker, pokes: &mut Receiver<Poke>) {
    let (probe, began) = (Poke::Inbox(task()), Instant::now());
    while !matches!(timeout(Duration::from_millis(200), pokes.recv()).await, Ok(Ok(heard)) if heard == probe)
    {
        assert!(began.elapsed() < 4 * SOON, "no poke crosses");
        from.poke(probe);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    while pokes.try_recv().is_ok() {}
}

/// Whichever process holds the task hears of it.
pub async fn pokes_reach_every_process(pair: Pair) {
    let (mut here, mut there) = (pair.one.pokes(), pair.two.pokes());
    hear(&*pair.one, &mut there).await;
    while here.try_recv().is_ok() {}
    for poke in [Poke::Inbox(task()), Poke::Ended(task())] {
        pair.one.poke(poke);
        assert_eq!(next(&mut there).await, poke);
        assert_eq!(next(&mut here).await, poke);
    }
}

/// Ending a thousand tasks at once is heard of a thousand times.
pub async fn pokes_in_plenty_cross(pair: Pair) {
    let mut there = pair.two.pokes();
    hear(&*pair.one, &mut there).await;
    let tasks: Vec<TaskId> = (0..1000).map(|_| task()).collect();
    tasks.iter().for_each(|task| pair.one.poke(Poke::Ended(*task)));
    for task in tasks {
        assert_eq!(next(&mut there).await, Poke::Ended(task));
    }
}
