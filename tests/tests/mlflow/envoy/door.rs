//! A door before a server: open, or failing in one way or another.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::stage::runtime;

/// What becomes of connections that come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// They lead to the server.
    Open,
    /// They end when a request has come.
    Reset,
    /// Their request is answered with a status.
    Status(u16),
}

/// The door.
pub struct Door {
    pub address: SocketAddr,
    way: Arc<Mutex<Way>>,
}

impl Door {
    /// A door before a server.
    pub fn before(server: SocketAddr, way: Way) -> Self {
        let way = Arc::new(Mutex::new(way));
        let listener = runtime()
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let now = way.clone();
        runtime().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let way = *now.lock().unwrap();
                tokio::spawn(pass(stream, server, way));
            }
        });
        Self { address, way }
    }

    /// For connections that come from now on.
    pub fn set(&self, way: Way) {
        *self.way.lock().unwrap() = way;
    }
}

async fn pass(mut stream: TcpStream, server: SocketAddr, way: Way) -> std::io::Result<()> {
    match way {
        Way::Open => {
            let mut server = TcpStream::connect(server).await?;
            copy_bidirectional(&mut stream, &mut server).await?;
        }
        Way::Reset => {
            // Some of a request is enough.
            let _ = stream.read(&mut [0; 100]).await?;
        }
        Way::Status(status) => {
            let mut heard = vec![0; 1 << 20];
            let _ = stream.read(&mut heard).await?;
            let answer =
                format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await?;
            // What is left of the request: unread, it would reset the answer.
            while stream.read(&mut heard).await? > 0 {}
        }
    }
    Ok(())
}
