//! A proxy between an operator and the API server that can be cut: then nothing passes and nothing is closed, as where a
//! network drops every packet.

use std::sync::Arc;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// See the module. Ends with the test's runtime.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    is_cut: Arc<watch::Sender<bool>>,
}

impl Proxy {
    pub(crate) async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_cut = Arc::new(watch::Sender::new(false));
        let cuts = Arc::clone(&is_cut);
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                tokio::spawn(pass(from, to, cuts.subscribe()));
            }
        });
        Self { port, is_cut }
    }

    pub(crate) fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// From now on new connections pass. What was on its way in old ones is lost.
    pub(crate) fn heal(&self) {
        self.is_cut.send_replace(false);
    }
}

/// Passes one connection on until it ends, or is cut and healed.
async fn pass(mut from: TcpStream, port: u16, mut cut: watch::Receiver<bool>) {
    if cut.wait_for(|cut| !cut).await.is_err() {
        return;
    }
    let Ok(mut to) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut from, &mut to) => return,
        _ = cut.wait_for(|cut| *cut) => {}
    }
    let _ = cut.wait_for(|cut| !cut).await;
}
