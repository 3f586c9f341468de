//! The layer against itself, against damage, and against what a real server sent.

use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

const ZSTD: Algorithm = Algorithm::Zstd { level: 3 };

fn algorithms() -> impl Strategy<Value = Algorithm> {
    prop_oneof![Just(Algorithm::Zlib), (0u8..=30).prop_map(|level| Algorithm::Zstd { level: level.min(6) })]
}

/// Texts that compress and noise that does not, short and long.
fn chunks() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let noise = prop::collection::vec(any::<u8>(), 0..300);
    let text = (any::<u8>(), 0usize..200_000).prop_map(|(byte, len)| vec![byte; len]);
    prop::collection::vec(prop_oneof![noise, text], 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_goes_in_comes_out(
        algorithm in algorithms(),
        chunks in chunks(),
        pipe in 1usize..3000,
        read_size in 1usize..5000,
    ) {
        let (sent, got) = block_on(through(algorithm, &chunks, pipe, read_size));
        prop_assert!(sent == got);
    }

    #[test]
    fn any_bytes_are_survived(algorithm in algorithms(), bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = block_on(read_all(algorithm, &bytes));
    }

    #[test]
    fn damaged_frames_are_survived(algorithm in algorithms(), at in 0usize..200, value: u8, cut in 0usize..300) {
        let mut bytes = block_on(frames_of(algorithm, &[b"some text, again and again ".repeat(40)]));
        let at = at % bytes.len();
        bytes[at] = value;
        bytes.truncate(bytes.len() - cut.min(bytes.len()));
        let _ = block_on(read_all(algorithm, &bytes));
    }
}

/// Its frames are made where other clients wait.
#[tokio::test]
async fn a_dear_level_is_not_written() {
    let text: Vec<u8> = (0..20_000_u32).flat_map(|n| (n % 977 * n).to_string().into_bytes()).collect();
    let frames = async |level| frames_of(Algorithm::Zstd { level }, std::slice::from_ref(&text)).await;
    let dearest = frames(22).await;
    assert!(dearest == frames(codec::MAX_ZSTD_LEVEL).await && dearest.len() < text.len() * 2 / 3);
}

#[tokio::test]
async fn ids_count_through_a_command_and_its_reply() {
    let (near, far) = duplex(1 << 20);
    let mut client = Compressed::new(near, Algorithm::Zlib);
    let mut server = Compressed::new(far, Algorithm::Zlib);
    let mut byte = [0];
    for _ in 0..3 {
        client.set_sequence(0);
        send(&mut client, b"a").await;
        send(&mut client, b"b").await;
        assert_eq!(client.sequence(), 2);
        server.read_exact(&mut byte).await.expect("first frame");
        server.read_exact(&mut byte).await.expect("second frame");
        assert_eq!(server.sequence(), 2);
        for _ in 0..300 {
            send(&mut server, b"row").await;
        }
        client.read_exact(&mut [0; 900]).await.expect("reply");
        assert_eq!(client.sequence(), server.sequence());
    }
}

#[tokio::test]
async fn commands_read_ahead_are_answered_with_their_own_ids() {
    let (near, far) = duplex(1 << 20);
    let mut client = Compressed::new(near, Algorithm::Zlib);
    let mut server = Compressed::new(far, Algorithm::Zlib);
    let mut saved = Vec::new();
    for _ in 0..2 {
        client.set_sequence(0);
        send(&mut client, b"cmd").await;
        server.read_exact(&mut [0; 3]).await.expect("command");
        saved.push(server.sequence());
    }
    let mut seen = Vec::new();
    for sequence in saved {
        server.set_sequence(sequence);
        send(&mut server, b"row").await;
        send(&mut server, b"end").await;
        for _ in 0..2 {
            let mut header = [0; HEADER_LEN + 3];
            client.get_mut().read_exact(&mut header).await.expect("frame");
            seen.push(header[3]);
        }
    }
    assert_eq!(seen, [1, 2, 1, 2]);
}

#[tokio::test]
async fn what_is_read_before_its_turn_changes_no_ids() {
    let (mut peer, stream) = tokio::io::duplex(1 << 20);
    let mut layer = Compressed::new(stream, Algorithm::Zlib);
    peer.write_all(&frame(0, 0, b"first")).await.expect("room");
    let mut first = [0; 5];
    layer.read_exact(&mut first).await.expect("a command");
    peer.write_all(&[frame(0, 0, b"next"), frame(1, 0, b", more")].concat()).await.expect("room");
    let read = std::future::poll_fn(|cx| layer.poll_ahead(cx)).await.expect("bytes");
    assert_eq!((read, layer.sequence(), layer.stored_ahead()), (7 + 4 + 7 + 6, 1, None));
    drop(peer);
    assert_eq!(std::future::poll_fn(|cx| layer.poll_ahead(cx)).await.expect("an end"), 0);
    let mut rest = Vec::new();
    layer.read_to_end(&mut rest).await.expect("what was read");
    assert_eq!((&rest[..], layer.sequence()), (&b"next, more"[..], 2));

    let (mut peer, stream) = tokio::io::duplex(1 << 20);
    let mut layer = Compressed::new(stream, Algorithm::Zlib);
    peer.write_all(&frame(0, 0, &[1, 0, 0, 0, 1])).await.expect("room");
    std::future::poll_fn(|cx| layer.poll_ahead(cx)).await.expect("bytes");
    assert_eq!(layer.stored_ahead(), Some(&[1, 0, 0, 0, 1][..]));
    // Who sends without end is not read without end.
    tokio::spawn(async move { peer.write_all(&vec![0; 1 << 20]).await });
    let mut read = 0;
    while let Ok(Ok(more)) =
        tokio::time::timeout(std::time::Duration::from_millis(50), std::future::poll_fn(|cx| layer.poll_ahead(cx)))
            .await
    {
        read += more;
    }
    assert_eq!(read, 16 * 1024 - 12);
}

#[tokio::test]
async fn short_and_incompressible_contents_are_stored() {
    let short = frames_of(Algorithm::Zlib, &[vec![b'x'; 49]]).await;
    assert_eq!(short[..HEADER_LEN], [49, 0, 0, 0, 0, 0, 0]);
    for algorithm in [Algorithm::Zlib, ZSTD] {
        let long = frames_of(algorithm, &[vec![b'x'; 50]]).await;
        assert_eq!(long[3..HEADER_LEN], [0, 50, 0, 0], "{algorithm:?}");
        let mut noise = vec![0; 400];
        aws_lc_rs::rand::fill(&mut noise).expect("random bytes");
        let stored = frames_of(algorithm, &[noise.clone()]).await;
        assert_eq!(stored[4..HEADER_LEN], [0, 0, 0], "{algorithm:?}");
        assert_eq!(stored[HEADER_LEN..], noise);
    }
}

#[tokio::test]
async fn a_frame_of_the_greatest_length_is_read() {
    let plain = vec![7; MAX_FRAME_LEN];
    for algorithm in [Algorithm::Zlib, ZSTD] {
        let mut packed = Vec::new();
        assert!(codec::compress(algorithm, &plain, &mut packed).expect("compresses"));
        let bytes = frame(0, plain.len(), &packed);
        assert!(read_all(algorithm, &bytes).await.expect("frame") == plain);
    }
    let stored = frame(0, 0, &plain);
    assert!(read_all(Algorithm::Zlib, &stored).await.expect("frame") == plain);
}

#[tokio::test]
async fn a_bomb_makes_no_more_than_it_announced() {
    for algorithm in [Algorithm::Zlib, ZSTD] {
        let mut packed = Vec::new();
        assert!(codec::compress(algorithm, &vec![0; 1 << 23], &mut packed).expect("compresses"));
        for announced in [1, 100, (1 << 23) - 1, (1 << 23) + 1] {
            let error = read_all(algorithm, &frame(0, announced, &packed)).await.expect_err("a lie");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        }
    }
}

#[tokio::test]
async fn malformed_frames_are_told_apart() {
    let kind_and_text = async |bytes: &[u8]| {
        let error = read_all(Algorithm::Zlib, bytes).await.expect_err("malformed");
        (error.kind(), error.to_string())
    };
    let (kind, text) = kind_and_text(&frame(5, 0, b"abc")).await;
    assert_eq!(kind, io::ErrorKind::InvalidData);
    assert!(text.contains("out of order: frame 5 came, 0 was expected"), "{text}");
    let (kind, text) = kind_and_text(&frame(0, 0, b"")).await;
    assert_eq!(kind, io::ErrorKind::InvalidData);
    assert!(text.contains("without contents"), "{text}");
    let (kind, text) = kind_and_text(&frame(0, 10, b"not zlib")).await;
    assert_eq!(kind, io::ErrorKind::InvalidData);
    assert!(text.contains("zlib"), "{text}");
    for cut in [1, 6, 7, 9] {
        let (kind, _) = kind_and_text(&frame(0, 0, b"abc")[..cut]).await;
        assert_eq!(kind, io::ErrorKind::UnexpectedEof);
    }
}

#[tokio::test]
async fn nothing_is_read_behind_an_error() {
    let bytes = [frame(9, 0, b"abc"), frame(0, 0, b"abc")].concat();
    let mut layer = Compressed::new(bytes.as_slice(), Algorithm::Zlib);
    for _ in 0..2 {
        let error = layer.read_u8().await.expect_err("broken");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}

#[tokio::test]
async fn bytes_read_before_the_layer_existed() {
    let bytes = [frame(0, 0, b"first "), frame(1, 0, b"second")].concat();
    for split in 0..=bytes.len() {
        let (early, late) = bytes.split_at(split);
        let mut layer = Compressed::with_buffered(late, Algorithm::Zlib, early);
        assert_eq!(layer.has_buffered(), split > 0);
        let mut got = Vec::new();
        layer.read_to_end(&mut got).await.expect("both");
        assert_eq!(got, b"first second");
    }
}

#[tokio::test]
async fn a_slow_reader_stops_the_writer() {
    let (near, far) = duplex(1000);
    let mut writer = Compressed::new(near, Algorithm::Zlib);
    let mut noise = vec![0; 10 * MAX_WRITE_LEN];
    aws_lc_rs::rand::fill(&mut noise).expect("random bytes");
    let blocked = tokio::time::timeout(Duration::from_millis(20), writer.write_all(&noise)).await;
    assert!(blocked.is_err(), "nobody reads, yet all was taken");
    assert!(writer.writer.held() <= 2 * MAX_WRITE_LEN + HEADER_LEN);
    drop(far);
    assert!(writer.write_all(&noise).await.is_err());
}

#[tokio::test]
async fn an_idle_layer_holds_nothing() {
    let (near, far) = duplex(1 << 20);
    let (mut writer, mut reader) = (Compressed::new(near, Algorithm::Zlib), Compressed::new(far, Algorithm::Zlib));
    send(&mut writer, &vec![b'x'; 200_000]).await;
    reader.read_exact(&mut vec![0; 200_000]).await.expect("all");
    assert_eq!(writer.writer.held(), 0);
    assert!(!reader.has_buffered());
}

/// MariaDB 10.11's answers to three commands (a row, 25 frames of rows, a row), recorded with `CLIENT_COMPRESS`;
/// the digest is that of its answers to the same commands without it.
#[tokio::test]
async fn what_a_real_server_sends() {
    let mut rest = include_bytes!("testdata/mariadb_frames.bin").as_slice();
    let mut plain = Vec::new();
    while !rest.is_empty() {
        let (reply, behind) = rest.split_at(reply_len(rest));
        let mut layer = Compressed::new(reply, Algorithm::Zlib);
        layer.set_sequence(1);
        layer.read_to_end(&mut plain).await.expect("reply");
        rest = behind;
    }
    assert_eq!(plain.len(), 400_727);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &plain);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "df2fd474806a7181ae4c44a118a3f730704e3d21a886f59811a85f434c7dd693");
}

/// Bytes up to the next frame whose id is 1.
fn reply_len(frames: &[u8]) -> usize {
    let mut at = 0;
    while at < frames.len() && (at == 0 || frames[at + 3] != 1) {
        let len = u32::from_le_bytes([frames[at], frames[at + 1], frames[at + 2], 0]);
        at += HEADER_LEN + len as usize;
    }
    at
}

/// Sends each chunk with a flush, through a pipe of `pipe` bytes, in reads of `read_size`.
async fn through(algorithm: Algorithm, chunks: &[Vec<u8>], pipe: usize, read_size: usize) -> (Vec<u8>, Vec<u8>) {
    let (near, far) = duplex(pipe);
    let mut writer = Compressed::new(near, algorithm);
    let mut reader = Compressed::new(far, algorithm);
    let write = async move {
        for chunk in chunks {
            send(&mut writer, chunk).await;
        }
        writer.shutdown().await.expect("shut down");
        chunks.concat()
    };
    let read = async move {
        let (mut got, mut buffer) = (Vec::new(), vec![0; read_size]);
        loop {
            match reader.read(&mut buffer).await.expect("read") {
                0 => break got,
                len => got.extend_from_slice(&buffer[..len]),
            }
        }
    };
    tokio::join!(write, read)
}

/// A runtime per test case, for proptest's synchronous world.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("runtime").block_on(future)
}

async fn send<S: AsyncWrite + Unpin>(layer: &mut Compressed<S>, bytes: &[u8]) {
    layer.write_all(bytes).await.expect("written");
    layer.flush().await.expect("flushed");
}

async fn frames_of(algorithm: Algorithm, chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut layer = Compressed::new(Vec::new(), algorithm);
    for chunk in chunks {
        send(&mut layer, chunk).await;
    }
    layer.stream
}

async fn read_all(algorithm: Algorithm, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut got = Vec::new();
    Compressed::new(bytes, algorithm).read_to_end(&mut got).await?;
    Ok(got)
}

fn frame(id: u8, plain_len: usize, contents: &[u8]) -> Vec<u8> {
    let mut frame = (contents.len() as u32).to_le_bytes()[..3].to_vec();
    frame.push(id);
    frame.extend(&(plain_len as u32).to_le_bytes()[..3]);
    frame.extend(contents);
    frame
}
