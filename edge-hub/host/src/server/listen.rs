//! Listeners, their socket options, and the accept loop.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use super::{Server, Service, connection};

/// What the kernel may hold for a peer that does not read. By itself it would grow to about 1 MB,
/// and a stuck reader would never be noticed. With 32 KiB two segments of the loopback device do
/// not fit, each waits for a delayed acknowledgement, and a page takes 40 ms: 1.8 MB/s were
/// measured, 3 GB/s with 64 KiB.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// What a peer may send ahead while its reading is delayed.
const RECEIVE_BUFFER_BYTES: usize = 32 * 1024;

/// How long sent bytes may stay unacknowledged, or a closed window closed.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(30);

const BACKLOG: i32 = 4096;

/// How long to wait when no connection can be accepted for want of files or memory.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// A listener with the socket options that connections are to inherit.
///
/// # Errors
/// The address cannot be bound.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    tune(&SockRef::from(&socket))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn tune(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    // Frames are joined in the queue: waiting for more would only delay them.
    socket.set_tcp_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    Ok(())
}

/// Accepts connections until `shutdown`, whatever happens.
pub(super) async fn accept<S: Service>(
    server: Arc<Server<S>>,
    listener: TcpListener,
    connections: TaskTracker,
    shutdown: CancellationToken,
) {
    if let Err(error) = tune(&SockRef::from(&listener)) {
        warn!(%error, "a listener's socket options could not be set");
    }
    while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => {
                connections.spawn(connection::serve(
                    Arc::clone(&server),
                    stream,
                    peer,
                    shutdown.clone(),
                ));
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                server
                    .counters
                    .accept_errors
                    .fetch_add(1, Ordering::Relaxed);
                warn!(%error, "no connection can be accepted");
                shutdown
                    .run_until_cancelled(tokio::time::sleep(EXHAUSTED_PAUSE))
                    .await;
            }
        }
    }
}

/// The peer was gone before it was accepted: the next one is not affected.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}
