//! A Unix socket to listen on: any account of the machine may connect, as with a server's own, and its file goes with it.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as Probe;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// Who gets further is for the login to say.
const ANYBODY: u32 = 0o777;

/// Bound; dropped, its file is gone.
#[derive(Debug)]
pub struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of the file: by the same name another process may listen by now.
    file: (u64, u64),
}

impl UnixSocket {
    /// Binds it, in the place of a file that nobody listens on any more.
    ///
    /// # Errors
    /// Somebody listens there, or the file cannot be made.
    pub fn bind(path: &Path) -> io::Result<UnixSocket> {
        remove_stale(path);
        let listener = UnixListener::bind(path)?;
        let file = file(path)?;
        let socket = UnixSocket { listener, path: path.to_owned(), file };
        std::fs::set_permissions(path, PermissionsExt::from_mode(ANYBODY))?;
        Ok(socket)
    }

    /// The next client. Cancel safe.
    ///
    /// # Errors
    /// The process is out of file descriptors.
    pub async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        if file(&self.path).is_ok_and(|file| file == self.file) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn file(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

/// A socket file that nobody answers on is left over from a crash.
fn remove_stale(path: &Path) {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
    if is_socket && Probe::connect(path).is_err() {
        let _ = std::fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn anybody_may_connect_and_the_file_goes_with_it() {
        let folder = std::env::temp_dir().join(format!("tidegate-unix-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("socket");
        // What a crash has left.
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
        let socket = UnixSocket::bind(&path).expect("bound");
        assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o777);
        assert!(UnixSocket::bind(&path).is_err(), "somebody listens there");
        let (client, accepted) = tokio::join!(UnixStream::connect(&path), socket.accept());
        assert!(client.is_ok() && accepted.is_ok());
        drop(socket);
        assert!(!path.exists());
        // By that name another one listens by now.
        let first = UnixSocket::bind(&path).expect("bound");
        std::fs::remove_file(&path).expect("removed");
        let second = UnixSocket::bind(&path).expect("bound");
        drop(first);
        assert!(path.exists());
        drop(second);
        std::fs::remove_dir(&folder).expect("empty");
    }
}
