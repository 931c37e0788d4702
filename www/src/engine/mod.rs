//! The engine's end of the line: an actor that takes requests in turn.

use candor::error::Error;
use candor::protocol::{FromWorker, PROTOCOL_VERSION, Reply, Request, ToWorker};
use gloo::worker::{HandlerId, Worker, WorkerScope};

use crate::codec::Packet;

/// The actor.
#[derive(Debug)]
pub struct EngineWorker;

impl Worker for EngineWorker {
    type Message = ();
    type Input = Packet;
    type Output = Packet;

    fn create(_scope: &WorkerScope<Self>) -> Self {
        Self
    }

    fn update(&mut self, _scope: &WorkerScope<Self>, _message: ()) {}

    fn received(&mut self, scope: &WorkerScope<Self>, packet: Packet, id: HandlerId) {
        let answer = match packet.unpack::<ToWorker>() {
            Ok(ToWorker { id, request: Request::Hello { .. } }) => {
                FromWorker { id, reply: Reply::Hello { protocol: PROTOCOL_VERSION } }
            }
            Ok(ToWorker { id, .. }) => {
                FromWorker { id, reply: Reply::Failed(Error::unsupported("this engine cannot do that")) }
            }
            Err(error) => FromWorker { id: 0, reply: Reply::Failed(error) },
        };
        if let Ok(packet) = Packet::pack(&answer) {
            scope.respond(id, packet);
        }
    }
}
