//! One TCP connection: opened and greeted ([`Wire`]), and one that many callers share ([`Connection`]).

use super::{Address, RESPONSE_TIME, RedisError, codec};
use crate::clock;
use clustertalk_core::time::Timestamp;
use futures_channel::{mpsc, oneshot};
use futures_util::{FutureExt, StreamExt, select_biased};
use redis_protocol::resp2::types::OwnedFrame;
use std::{cell::Cell, collections::VecDeque, rc::Rc};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use worker::{SecureTransport, Socket, wasm_bindgen_futures::spawn_local};

/// A connection as it is: replies come in the order of commands.
pub struct Wire {
    pub reader: Reader,
    pub writer: Writer,
}

pub struct Reader {
    half: ReadHalf<Socket>,
    decoder: codec::Decoder,
    chunk: Box<[u8]>,
}

pub struct Writer(WriteHalf<Socket>);

impl Wire {
    /// Connects, says who we are and chooses the database.
    pub async fn open(address: &Address) -> Result<Self, RedisError> {
        let opened = clock::timeout(RESPONSE_TIME, Self::try_open(address)).await;
        opened.unwrap_or(Err(RedisError::TimedOut))
    }

    async fn try_open(address: &Address) -> Result<Self, RedisError> {
        let unreachable = |error: worker::Error| RedisError::Unreachable(error.to_string());
        let transport = if address.is_secure {
            SecureTransport::On
        } else {
            SecureTransport::Off
        };
        let socket = Socket::builder()
            .secure_transport(transport)
            .connect(address.host.clone(), address.port)
            .map_err(unreachable)?;
        socket.opened().await.map_err(unreachable)?;
        let (reader, writer) = tokio::io::split(socket);
        let mut wire = Self {
            reader: Reader {
                half: reader,
                decoder: codec::Decoder::default(),
                chunk: vec![0; 16 << 10].into(),
            },
            writer: Writer(writer),
        };
        let greeting = address.greeting();
        let bytes: Vec<u8> = greeting
            .iter()
            .flat_map(|one| codec::pack_text(one))
            .collect();
        let greeted = wire.greet(&bytes, greeting.len()).await;
        match greeted {
            Ok(()) => Ok(wire),
            Err(error) => {
                wire.close().await;
                Err(error)
            }
        }
    }

    async fn greet(&mut self, bytes: &[u8], replies: usize) -> Result<(), RedisError> {
        if replies > 0 {
            self.writer.write(bytes).await?;
        }
        for _ in 0..replies {
            codec::flatten(self.reader.next().await?)?;
        }
        Ok(())
    }

    pub async fn close(self) {
        let mut socket = self.reader.half.unsplit(self.writer.0);
        // It may be gone already.
        let _ = socket.close().await;
    }
}

impl Reader {
    /// The next reply. What it has read stays if the future is dropped.
    pub async fn next(&mut self) -> Result<OwnedFrame, RedisError> {
        loop {
            if let Some(frame) = self.decoder.next()? {
                return Ok(frame);
            }
            match self.half.read(&mut self.chunk).await {
                Ok(0) | Err(_) => return Err(RedisError::Lost),
                Ok(length) => self.decoder.push(&self.chunk[..length]),
            }
        }
    }
}

impl Writer {
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), RedisError> {
        let written = self.0.write_all(bytes).await;
        written.map_err(|_| RedisError::Lost)
    }
}

type Reply = oneshot::Sender<Result<OwnedFrame, RedisError>>;

/// A connection that many callers share: commands go out as they come, replies are in their order.
#[derive(Clone)]
pub struct Connection {
    commands: mpsc::UnboundedSender<(Vec<u8>, Reply)>,
    is_alive: Rc<Cell<bool>>,
    pub opened_at: Timestamp,
}

impl Connection {
    pub async fn open(address: &Address) -> Result<Self, RedisError> {
        let wire = Wire::open(address).await?;
        let (commands, inbox) = mpsc::unbounded();
        let is_alive = Rc::new(Cell::new(true));
        spawn_local(run(wire, inbox, Rc::clone(&is_alive)));
        Ok(Self {
            commands,
            is_alive,
            opened_at: clock::now(),
        })
    }

    pub fn is_alive(&self) -> bool {
        self.is_alive.get() && !self.commands.is_closed()
    }

    /// Sends one packed command. Without a reply in time the connection is given up, since replies
    /// are told apart by their order alone.
    pub async fn send(&self, command: Vec<u8>) -> Result<OwnedFrame, RedisError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.unbounded_send((command, reply));
        sent.map_err(|_| RedisError::Lost)?;
        match clock::timeout(RESPONSE_TIME, answer).await {
            Some(Ok(reply)) => reply,
            Some(Err(oneshot::Canceled)) => Err(RedisError::Lost),
            None => {
                self.is_alive.set(false);
                self.commands.close_channel();
                Err(RedisError::TimedOut)
            }
        }
    }
}

async fn run(
    wire: Wire,
    mut inbox: mpsc::UnboundedReceiver<(Vec<u8>, Reply)>,
    is_alive: Rc<Cell<bool>>,
) {
    let Wire {
        mut reader,
        mut writer,
    } = wire;
    let mut waiting: VecDeque<Reply> = VecDeque::new();
    // Who let go of it may still wait for what he sent.
    let mut is_wanted = true;
    while is_wanted || (is_alive.get() && !waiting.is_empty()) {
        select_biased! {
            frame = reader.next().fuse() => match (frame, waiting.pop_front()) {
                (Ok(frame), Some(reply)) => drop(reply.send(Ok(frame))),
                // A reply that nobody asked for is the end of a connection, too.
                _ => break,
            },
            command = inbox.next() => match command {
                Some((mut bytes, reply)) => {
                    waiting.push_back(reply);
                    while let Ok((more, reply)) = inbox.try_recv() {
                        bytes.extend(more);
                        waiting.push_back(reply);
                    }
                    if writer.write(&bytes).await.is_err() {
                        break;
                    }
                }
                None => is_wanted = false,
            },
        }
    }
    is_alive.set(false);
    drop(waiting);
    Wire { reader, writer }.close().await;
}
