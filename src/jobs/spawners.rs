//! The ways to the fork servers.
//!
//! There are two: one for ordinary calls, which begins behind the fences that those have in common, and one for all others,
//! also where workers are born in control groups, which needs what the fences take away. The one that is likely to be
//! needed is started at once, the other by its first job.

use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    error::Error,
    fence::Calling,
    spawner::{self, ForkServerCommand, HandOver, Spawned},
};

/// Where jobs are handed over.
#[derive(Debug)]
pub(super) struct Spawners {
    any: mpsc::UnboundedSender<HandOver>,
    ordinary: mpsc::UnboundedSender<HandOver>,
    tasks: Vec<JoinHandle<()>>,
}

impl Spawners {
    /// Starts both tasks, and the fork server for the calls that are likely to come.
    pub(super) fn start(
        command: &ForkServerCommand,
        likely: Calling,
        answers: &mpsc::UnboundedSender<Spawned>,
    ) -> Result<Self, Error> {
        let start = |calling| spawner::start(command, calling, calling == likely, answers.clone());
        let ((any, one), (ordinary, other)) = (start(Calling::Any)?, start(Calling::Ordinary)?);
        Ok(Self { any, ordinary, tasks: vec![one, other] })
    }

    /// The way to the one that makes workers for such calls.
    pub(super) fn of(&self, calling: Calling) -> &mpsc::UnboundedSender<HandOver> {
        match calling {
            Calling::Any => &self.any,
            Calling::Ordinary => &self.ordinary,
        }
    }

    /// Lets the fork servers go, and returns when the tasks have ended.
    pub(super) async fn end(self) {
        let Self { any, ordinary, tasks } = self;
        drop((any, ordinary));
        for task in tasks {
            let _ = task.await;
        }
    }

    /// One way for all.
    #[cfg(test)]
    pub(super) fn to(hand_overs: mpsc::UnboundedSender<HandOver>) -> Self {
        Self { any: hand_overs.clone(), ordinary: hand_overs, tasks: Vec::new() }
    }
}
