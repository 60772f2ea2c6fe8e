//! The adapter of russh and russh-sftp, client and server.

use std::borrow::Cow;
use std::collections::HashMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{bail, Result};
use russh::client::{AuthResult, KeyboardInteractiveAuthResponse};
use russh::keys::{load_secret_key, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh::server::{Auth, ChannelOpenHandle, Msg, Response, Server as _, VerifiedPublicKey};
use russh::{cipher, client, kex, mac, server, Channel, ChannelId, ChannelMsg, Limits, Preferred};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

fn told(name: &str) -> String {
    std::env::var(format!("PEER_{name}")).unwrap_or_default()
}

/// All that it has.
fn preferred() -> Preferred {
    Preferred {
        kex: Cow::Owned(kex::ALL_KEX_ALGORITHMS.iter().map(|name| **name).collect()),
        cipher: Cow::Owned(cipher::ALL_CIPHERS.iter().map(|name| **name).collect()),
        mac: Cow::Owned(mac::ALL_MAC_ALGORITHMS.iter().map(|name| **name).collect()),
        ..Preferred::default()
    }
}

fn limits() -> Limits {
    match told("REKEY").parse() {
        Ok(bytes) => Limits::new(bytes, bytes, Duration::from_secs(3600)),
        Err(_) => Limits::default(),
    }
}

// ---- client ----------------------------------------------------------------------------------------------------------

struct Anyone;

impl client::Handler for Anyone {
    type Error = anyhow::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool> {
        Ok(true)
    }
}

async fn log_in(session: &mut client::Handle<Anyone>) -> Result<()> {
    let (user, password) = (told("USER"), told("PASSWORD"));
    let outcome = match told("AUTH").as_str() {
        "password" => session.authenticate_password(user, password).await?,
        "keyboard-interactive" => {
            let mut asked = session.authenticate_keyboard_interactive_start(user, None).await?;
            loop {
                match asked {
                    KeyboardInteractiveAuthResponse::Success => return Ok(()),
                    KeyboardInteractiveAuthResponse::Failure { .. } => bail!("not let in"),
                    KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                        let answers = prompts.iter().map(|_| password.clone()).collect();
                        asked = session.authenticate_keyboard_interactive_respond(answers).await?;
                    }
                }
            }
        }
        _ => {
            let key = Arc::new(load_secret_key(told("KEY"), None)?);
            let hash = session.best_supported_rsa_hash().await?.flatten();
            session.authenticate_publickey(user, PrivateKeyWithHashAlg::new(key, hash)).await?
        }
    };
    match outcome {
        AuthResult::Success => Ok(()),
        AuthResult::Failure { .. } => bail!("not let in"),
    }
}

/// Both ways at once, until the other side has ended its own.
async fn carry(mut channel: Channel<client::Msg>) -> Result<i32> {
    let mut writer = channel.make_writer();
    let eof = tokio::spawn(async move {
        let copied = tokio::io::copy(&mut tokio::io::stdin(), &mut writer).await;
        let _ = writer.shutdown().await;
        copied
    });
    let (mut status, mut stdout) = (0, tokio::io::stdout());
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => stdout.write_all(&data).await?,
            ChannelMsg::ExtendedData { data, .. } => tokio::io::stderr().write_all(&data).await?,
            ChannelMsg::ExitStatus { exit_status } => status = exit_status as i32,
            ChannelMsg::Failure => bail!("refused"),
            _ => {}
        }
    }
    stdout.flush().await?;
    eof.abort();
    Ok(status)
}

async fn files(session: &client::Handle<Anyone>, words: &[String]) -> Result<i32> {
    let channel = session.channel_open_session().await?;
    channel.request_subsystem(true, "sftp").await?;
    let there = russh_sftp::client::SftpSession::new(channel.into_stream()).await?;
    match (words[0].as_str(), words.get(2)) {
        ("put", Some(remote)) => {
            let mut file = there.create(remote).await?;
            tokio::io::copy(&mut tokio::fs::File::open(&words[1]).await?, &mut file).await?;
            file.shutdown().await?;
        }
        ("get", Some(local)) => {
            let mut file = tokio::fs::File::create(local).await?;
            tokio::io::copy(&mut there.open(&words[1]).await?, &mut file).await?;
            file.flush().await?;
        }
        _ => {
            for entry in there.read_dir(&words[1]).await? {
                println!("{}", entry.file_name());
            }
        }
    }
    Ok(0)
}

async fn client(words: &[String]) -> Result<i32> {
    let config = client::Config {
        preferred: preferred(),
        limits: limits(),
        ..client::Config::default()
    };
    let port: u16 = told("PORT").parse()?;
    let mut session = client::connect(Arc::new(config), ("127.0.0.1", port), Anyone).await?;
    log_in(&mut session).await?;
    let status = match words[0].as_str() {
        "run" => {
            let channel = session.channel_open_session().await?;
            channel.exec(true, words[1].as_str()).await?;
            carry(channel).await?
        }
        "forward" => {
            let port = words[2].parse()?;
            carry(session.channel_open_direct_tcpip(words[1].as_str(), port, "127.0.0.1", 1).await?).await?
        }
        _ => files(&session, words).await?,
    };
    session.disconnect(russh::Disconnect::ByApplication, "", "").await?;
    Ok(status)
}

// ---- server ----------------------------------------------------------------------------------------------------------

#[derive(Clone, Default)]
struct Listener;

#[derive(Default)]
struct Session {
    channels: HashMap<ChannelId, Channel<Msg>>,
}

impl server::Server for Listener {
    type Handler = Session;

    fn new_client(&mut self, _: Option<std::net::SocketAddr>) -> Session {
        Session::default()
    }

    fn handle_session_error(&mut self, error: anyhow::Error) {
        eprintln!("{error}");
    }
}

fn verdict(good: bool) -> Auth {
    match good {
        true => Auth::Accept,
        false => Auth::reject(),
    }
}

async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let _ = tokio::io::copy(&mut from, &mut to).await;
    let _ = to.shutdown().await;
}

impl Session {
    fn start(&mut self, id: ChannelId, command: &str, session: &mut server::Session) -> Result<()> {
        let Some(channel) = self.channels.remove(&id) else {
            return Ok(session.channel_failure(id)?);
        };
        let mut child = tokio::process::Command::new("/bin/sh")
            .args(["-c", command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        session.channel_success(id)?;
        let handle = session.handle();
        tokio::spawn(async move {
            let (reader, writer) = tokio::io::split(channel.into_stream());
            let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
            let reading = tokio::spawn(pump(reader, input));
            let mut output = output;
            let mut writer = writer;
            let _ = tokio::io::copy(&mut output, &mut writer).await;
            let status = child.wait().await.ok().and_then(|status| status.code()).unwrap_or(255);
            let _ = handle.exit_status_request(id, status as u32).await;
            let _ = handle.eof(id).await;
            let _ = handle.close(id).await;
            reading.abort();
        });
        Ok(())
    }
}

impl server::Handler for Session {
    type Error = anyhow::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth> {
        Ok(verdict(user == told("USER") && password == told("PASSWORD")))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth> {
        Ok(match response {
            None => Auth::Partial {
                name: "".into(),
                instructions: "".into(),
                prompts: vec![("Password: ".into(), false)].into(),
            },
            Some(mut answers) => {
                let good = answers.next().is_some_and(|answer| *answer == *told("PASSWORD").as_bytes());
                verdict(good)
            }
        })
    }

    async fn auth_publickey(&mut self, _: &str, key: VerifiedPublicKey<'_>) -> Result<Auth> {
        let lines = std::fs::read_to_string(told("AUTHORIZED_KEYS"))?;
        let known = lines.lines().filter_map(|line| PublicKey::from_openssh(line).ok());
        let shown = key.public_key;
        Ok(verdict(known.into_iter().any(|known| known.key_data() == shown.key_data())))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut server::Session,
    ) -> Result<()> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut server::Session,
    ) -> Result<()> {
        let stream = tokio::net::TcpStream::connect((host, port as u16)).await?;
        reply.accept().await;
        tokio::spawn(async move {
            let (near, far) = stream.into_split();
            let (reader, writer) = tokio::io::split(channel.into_stream());
            tokio::join!(pump(reader, far), pump(near, writer));
        });
        Ok(())
    }

    async fn exec_request(&mut self, id: ChannelId, command: &[u8], session: &mut server::Session) -> Result<()> {
        self.start(id, &String::from_utf8_lossy(command), session)
    }

    async fn subsystem_request(&mut self, id: ChannelId, name: &str, session: &mut server::Session) -> Result<()> {
        match name {
            "sftp" => self.start(id, "exec /usr/lib/openssh/sftp-server", session),
            _ => Ok(session.channel_failure(id)?),
        }
    }
}

async fn server() -> Result<i32> {
    let config = server::Config {
        keys: vec![load_secret_key(told("HOST_KEY"), None)?],
        preferred: preferred(),
        limits: limits(),
        auth_rejection_time: Duration::from_millis(10),
        ..server::Config::default()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening {}", listener.local_addr()?.port());
    let serving = tokio::spawn(async move { Listener.run_on_socket(Arc::new(config), &listener).await });
    let mut rest = Vec::new();
    tokio::io::stdin().read_to_end(&mut rest).await?;
    serving.abort();
    Ok(0)
}

#[tokio::main]
async fn main() {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let outcome = match words.first().map(String::as_str) {
        Some("version") => {
            println!("{}", include_str!("../Cargo.lock").split("name = \"russh\"\nversion = \"").nth(1).map_or("?", |rest| rest.split('"').next().unwrap_or("?")));
            Ok(0)
        }
        Some("server") => server().await,
        Some("client") => client(&words[1..]).await,
        _ => Ok(2),
    };
    let status = outcome.unwrap_or_else(|error| {
        eprintln!("{error}");
        255
    });
    // Not waiting for a read of standard input that goes on.
    std::process::exit(status);
}
