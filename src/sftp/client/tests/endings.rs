//! How calls end that would wait: time, cancel, close, free, the end of the server.

use super::*;

/// A server that never answers but says when it was asked.
fn silent() -> (Sftp, Line, Arc<Mutex<usize>>) {
    let asked = Arc::new(Mutex::ranked(0, Rank::OUTERMOST));
    let count = Arc::clone(&asked);
    let (sftp, line) = session(move |_, _, _| *count.lock() += 1);
    (sftp, line, asked)
}

fn wait_until(what: impl Fn() -> bool) {
    for _ in 0..6000 {
        if what() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("it never came");
}

#[test]
fn whoever_waits_hears_why_it_ended() {
    type End = fn(&Sftp, &Line);
    type Cause = fn(&Error) -> bool;
    let ways: [(&str, End, Cause); 6] = [
        (
            "close",
            |sftp, _| sftp.close(),
            |e| matches!(e, Error::Closed),
        ),
        (
            "release",
            |sftp, _| sftp.release(),
            |e| matches!(e, Error::Closed),
        ),
        (
            "cancel",
            |_, line| line.client.cancel(),
            |e| matches!(e, Error::Cancelled),
        ),
        (
            "end of file",
            |_, line| line.channel.send_eof().unwrap(),
            |e| matches!(e, Error::Sftp(_)),
        ),
        (
            "server closes",
            |_, line| line.channel.close().unwrap(),
            |e| matches!(e, Error::Sftp(_) | Error::Closed),
        ),
        (
            "transport",
            |_, line| line.server.close(),
            |e| matches!(e, Error::Disconnected { .. }),
        ),
    ];
    for (what, end, cause) in ways {
        let (sftp, line, asked) = silent();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let sftp = sftp.clone();
                thread::spawn(move || sftp.stat(b"x", TIME))
            })
            .collect();
        wait_until(|| *asked.lock() == 4);
        end(&sftp, &line);
        for thread in threads {
            let error = thread.join().unwrap().unwrap_err();
            assert!(cause(&error), "{what}: {error:?}");
        }
    }
}

#[test]
fn calls_end_in_time_and_their_replies_are_not_missed() {
    let held = Arc::new(Mutex::ranked(None, Rank::OUTERMOST));
    let late = Arc::clone(&held);
    let closed = Arc::new(Mutex::ranked(Vec::new(), Rank::OUTERMOST));
    let seen = Arc::clone(&closed);
    let (sftp, _line) = session(move |channel, id, request| match request {
        Request::Open { .. } => *late.lock() = Some(id),
        Request::Close { handle } => {
            seen.lock().push(handle.to_vec());
            answer(channel, id, &Reply::status(StatusCode::OK));
        }
        _ => {
            let opened = late.lock().take();
            if let Some(opened) = opened {
                answer(channel, opened, &Reply::Handle(b"late"));
            }
            answer(channel, id, &Reply::Attrs(sized(5)));
        }
    });
    let open = |timeout| {
        sftp.open_file(b"x", OpenFlags::READ, &Attributes::new(), timeout)
            .map(|_| ())
    };
    for timeout in [SHORT, Timeout::NOW] {
        let outcome = open(timeout);
        assert!(matches!(outcome, Err(Error::Timeout(_))), "{outcome:?}");
    }
    wait_until(|| held.lock().is_some());
    // What was opened when nobody waited any more is closed, and the session goes on.
    assert_eq!(sftp.stat(b"x", TIME).unwrap().size, Some(5));
    assert_eq!(sftp.stat(b"x", TIME).unwrap().size, Some(5));
    wait_until(|| *closed.lock() == [b"late"]);
}

#[test]
fn an_answer_before_the_end_counts() {
    for _ in 0..20 {
        let (sftp, _line) = session(|channel, id, _| {
            answer(channel, id, &Reply::Attrs(sized(5)));
            channel.send_eof().unwrap();
            channel.close().unwrap();
        });
        assert_eq!(sftp.stat(b"x", TIME).unwrap().size, Some(5));
        assert!(sftp.stat(b"x", TIME).is_err());
    }
}

#[test]
fn many_threads_on_one_session() {
    let mut held = Vec::new();
    let (sftp, _line) = session(move |channel, id, request| {
        // Three at a time, and the last first.
        let Request::Stat { path } = request else {
            return;
        };
        held.push((id, path.len()));
        if held.len() == 3 {
            for (id, length) in held.drain(..).rev() {
                answer(channel, id, &Reply::Attrs(sized(length)));
            }
        }
    });
    let threads: Vec<_> = (1..=6)
        .map(|number| {
            let sftp = sftp.clone();
            thread::spawn(move || {
                let path = vec![b'x'; number];
                for _ in 0..100 {
                    let size = sftp.stat(&path, TIME)?.size;
                    assert_eq!(size, Some(number as u64));
                }
                Ok::<_, Error>(())
            })
        })
        .collect();
    // The last ones may wait for others that are through: then more have to ask.
    while threads.iter().any(|thread| !thread.is_finished()) {
        let _ = sftp.stat(b"x", SHORT);
    }
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
}
