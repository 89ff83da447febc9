//! Bytes in, bytes out: the least that any server with a thread per client must do. It does not know where a message
//! ends, so the bytes of one read are sent in one write.

use super::{Members, accept};
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

static MEMBERS: Members<TcpStream> = Members::new();

pub fn serve() -> anyhow::Result<()> {
    accept("raw", |stream| {
        // A client that disconnects is no error here.
        let _ = serve_client(stream);
        MEMBERS.leave();
    })
}

fn serve_client(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    stream.read_exact(&mut buffer[..1])?;
    let broadcast = buffer[0] == b'b';
    if broadcast {
        MEMBERS.join(stream.try_clone()?);
    }
    stream.write_all(&buffer[..1])?;
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        if broadcast {
            MEMBERS.each(|member| drop(member.write_all(&buffer[..count])));
        } else {
            stream.write_all(&buffer[..count])?;
        }
    }
}
