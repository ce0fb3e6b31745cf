//! `hview-client`: reports and questions, a command at a time or line by line.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;
use std::time::Duration;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{Editor, Helper};
use serde_json::{Value, json};
use skywatch_algorithms::verdicts::Status;
use skywatch_settings::Secret;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use super::flags::{self, Flag, GivenFlags, JSON_FLAG, value};
use super::line::{self, HELP, LineCommand, LineQuestion};
use super::terminal::{ToolError, complain, print};
use super::{json, text};
use crate::health::clock::now;
use crate::health::convert::timestamp;
use crate::health::dial::{BearerToken, DialOptions};
use crate::health::idl::panorama::health_service_client::HealthServiceClient;
use crate::health::idl::panorama::{self, *};
use crate::health::idl::verdicts::verdicts_client::VerdictsClient;
use crate::health::idl::verdicts::{
    GetVerdictRequest, ListTransitionsRequest, ListVerdictsRequest, WatchRequest, watch_reply,
};

const FLAGS: &[Flag] = &[
    value(
        "server",
        "",
        "address of the server, https://host:port for TLS; this host's name and port 6688 if it is not given",
    ),
    CA_FLAG,
    TOKEN_FLAG,
    JSON_FLAG,
];
const USAGE: &str = "hview-client [-server host:port] [-json] [command args...]";
/// Who may vouch for a server.
pub(super) const CA_FLAG: Flag = value(
    "ca",
    "",
    "file with the certificates (PEM) of those who may vouch for the server; those that browsers know if it is not given",
);
/// What a server asks for.
pub(super) const TOKEN_FLAG: Flag = value("token_file", "", "file with the token that the server asks for");

/// The port of the original.
const PORT: u16 = 6_688;
/// How long a server may take, to be connected to and to answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// Bytes of an answer at most: a dump may be large.
const ANSWER_BYTES: usize = 256 << 20;
/// The module and the name under which the client registers.
const MODULE: &str = "default";
const OBSERVER: &str = "client";

/// Runs the tool.
pub(super) fn run(arguments: Vec<String>) -> Result<(), ToolError> {
    let given = flags::parse(FLAGS, USAGE, arguments)?;
    let as_json = given.is_on("json")?;
    // What is wrong is said before anybody is asked.
    let words: Vec<_> = given.rest.iter().map(String::as_str).collect();
    let command = line::parse(&words).map_err(|wrong| ToolError::Usage(wrong.to_string()))?;
    let runtime = runtime()?;
    if matches!(command, LineCommand::Help) {
        return print(HELP);
    }
    let mut client = runtime.block_on(ClientSession::connect(&given, MODULE, OBSERVER))?;
    client.as_json = as_json;
    if words.is_empty() {
        interactive(&runtime, &mut client)
    } else {
        runtime.block_on(client.obey(command))
    }
}

/// What calls of a tool run on.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, ToolError> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().map_err(ToolError::failed)
}

/// What the flags say of the way to a server.
fn dial_options(given: &GivenFlags) -> Result<DialOptions, ToolError> {
    let file = |flag: &Flag| Some(given.text(flag.name)).filter(|file| !file.is_empty());
    let token = file(&TOKEN_FLAG).map(|file| {
        std::fs::read_to_string(file)
            .map(|token| Secret::new(token.trim()))
            .map_err(|error| ToolError::Usage(format!("`{file}` cannot be read: {error}")))
    });
    let token = token.transpose()?;
    DialOptions::new(file(&CA_FLAG).map(Path::new), token.as_ref())
        .map_err(|error| ToolError::Usage(error.to_string()))
}

fn short_host_name() -> String {
    let name = skywatch_alerters::host::name();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// A server, and who we are to it.
pub(super) struct ClientSession {
    health: HealthServiceClient<InterceptedService<Channel, BearerToken>>,
    verdicts: VerdictsClient<InterceptedService<Channel, BearerToken>>,
    module: String,
    observer: String,
    handle: u64,
    as_json: bool,
}

impl ClientSession {
    /// Reaches a server, this host's if it is empty, and registers there.
    ///
    /// `given` has the flags `server`, [`CA_FLAG`] and [`TOKEN_FLAG`].
    pub(super) async fn connect(given: &GivenFlags, module: &str, observer: &str) -> Result<Self, ToolError> {
        let dial = dial_options(given)?;
        let server = match given.text("server") {
            "" => format!("{}:{PORT}", short_host_name()),
            server => server.to_owned(),
        };
        let endpoint = dial
            .endpoint(&server, DEADLINE)
            .map_err(|error| ToolError::Usage(error.to_string()))?;
        let unreached =
            |why: &str| ToolError::Failed(format!("cannot reach the server at `{server}`: {why}"));
        // A handshake of TLS has no limit of its own.
        let channel = tokio::time::timeout(DEADLINE, endpoint.connect())
            .await
            .map_err(|_| unreached("no answer in time"))?
            .map_err(|error| unreached(&causes(&error)))?;
        let channel = InterceptedService::new(channel, dial.token());
        let mut client = Self {
            health: HealthServiceClient::new(channel.clone()).max_decoding_message_size(ANSWER_BYTES),
            verdicts: VerdictsClient::new(channel).max_decoding_message_size(ANSWER_BYTES),
            module: module.to_owned(),
            observer: String::new(),
            handle: 0,
            as_json: false,
        };
        client.register(observer.to_owned()).await?;
        Ok(client)
    }

    async fn register(&mut self, observer: String) -> Result<(), ToolError> {
        let request = RegisterRequest {
            module: self.module.clone(),
            observer: observer.clone(),
        };
        self.handle = answer(self.health.register(request)).await?.handle;
        self.observer = observer;
        Ok(())
    }

    fn say(&self, text: &str, json: impl FnOnce() -> Value) -> Result<(), ToolError> {
        if self.as_json {
            print(&format!("{}\n", json()))
        } else {
            print(text)
        }
    }

    async fn obey(&mut self, command: LineCommand) -> Result<(), ToolError> {
        match command {
            LineCommand::Nothing | LineCommand::Exit => Ok(()),
            LineCommand::Help => print(HELP),
            LineCommand::WhoAmI => self.say(
                &format!("{}\n", self.observer),
                || json!({"observer": self.observer}),
            ),
            LineCommand::Me(observer) => self.register(observer).await,
            LineCommand::Report { subject, metrics } => self.report(subject, metrics).await,
            LineCommand::Ask(question) => self.ask(&question).await,
            LineCommand::Subjects => {
                let watched = answer(self.health.get_observed_subjects(Empty {}))
                    .await?
                    .subjects;
                let mut watched: Vec<_> = watched.into_iter().collect();
                watched.sort_by(|a, b| text::natural(&a.0, &b.0));
                for (subject, since) in &watched {
                    self.say(
                        &format!("{subject}\t{}\n", text::go_time(since)),
                        || json!({"subject": subject, "since": text::rfc3339(since)}),
                    )?;
                }
                Ok(())
            }
            LineCommand::Changes(subject) => {
                let request = ListTransitionsRequest {
                    subject: subject.unwrap_or_default(),
                    limit: 0,
                };
                let changes = answer(self.verdicts.list_transitions(request)).await?.transitions;
                for change in changes.iter().rev() {
                    self.say(&text::transition(change), || json::transition(change))?;
                }
                Ok(())
            }
            LineCommand::Watch(subjects) => self.watch(subjects).await,
            LineCommand::Tail(seconds, question) => loop {
                self.ask(&question).await?;
                tokio::time::sleep(Duration::from_secs(seconds)).await;
            },
            LineCommand::Ping => {
                let request = PingRequest {
                    source: Some(Peer {
                        id: self.observer.clone(),
                        addr: String::new(),
                    }),
                    time: Some(timestamp(now())),
                };
                let time = answer(self.health.ping(request)).await?.time.unwrap_or_default();
                self.say(
                    &format!("ping reply at time {}\n", text::go_time(&time)),
                    || json!({"time": text::rfc3339(&time)}),
                )
            }
        }
    }

    async fn report(
        &mut self,
        subject: String,
        metrics: Vec<(String, Status, f32)>,
    ) -> Result<(), ToolError> {
        let result = self.send(&subject, now(), metrics).await?;
        self.say(&format!("{result}\n"), || json!({"result": result}))?;
        if result == "Failed" {
            return Err(ToolError::Failed(String::new()));
        }
        Ok(())
    }

    /// Reports what was seen of a subject at a time (Unix nanoseconds), and gives the answer's name.
    pub(super) async fn send(
        &mut self,
        subject: &str,
        at: i64,
        metrics: Vec<(String, Status, f32)>,
    ) -> Result<&'static str, ToolError> {
        let metrics = metrics.into_iter().map(|(name, status, score)| {
            let value = panorama::Value {
                status: status as i32,
                score,
            };
            let metric = Metric {
                name: name.clone(),
                value: Some(value),
            };
            (name, metric)
        });
        let report = Report {
            observer: self.observer.clone(),
            subject: subject.to_owned(),
            observation: Some(Observation {
                ts: Some(timestamp(at)),
                metrics: metrics.collect(),
            }),
        };
        let request = SubmitReportRequest {
            handle: self.handle,
            report: Some(report),
        };
        Ok(match answer(self.health.submit_report(request)).await?.result() {
            submit_report_reply::Status::Accepted => "Accepted",
            submit_report_reply::Status::Ignored => "Ignored",
            submit_report_reply::Status::Failed => "Failed",
        })
    }

    async fn ask(&mut self, question: &LineQuestion) -> Result<(), ToolError> {
        let subject = |subject: &String| subject.clone();
        match question {
            LineQuestion::Report(of) => {
                let request = GetReportRequest { subject: subject(of) };
                let found = answer(self.health.get_latest_report(request)).await?;
                self.say(&format!("{}\n", text::report(&found)), || json::report(&found))
            }
            LineQuestion::View { observer, subject } => {
                let request = GetViewRequest {
                    subject: subject.clone(),
                    observer: observer.clone(),
                };
                let found = answer(self.health.get_view(request)).await?;
                self.say(&text::view(&found), || json::view(&found))
            }
            LineQuestion::Inference(of) => {
                let request = GetInferenceRequest { subject: subject(of) };
                let found = answer(self.health.get_inference(request)).await?;
                self.say(&text::inference(&found), || json::inference(&found))
            }
            LineQuestion::Panorama(of) => {
                let request = GetPanoramaRequest { subject: subject(of) };
                let found = answer(self.health.get_panorama(request)).await?;
                self.say(&text::panorama(&found), || json::panorama(&found))
            }
            LineQuestion::Verdict(of) => {
                let request = GetVerdictRequest { subject: subject(of) };
                let found = answer(self.verdicts.get_verdict(request)).await?;
                self.say(&text::verdict(&found), || json::verdict(&found))
            }
            LineQuestion::AllInferences => {
                let all = answer(self.health.dump_inference(Empty {})).await?.inferences;
                let mut all: Vec<_> = all.into_iter().collect();
                all.sort_by(|a, b| text::natural(&a.0, &b.0));
                for (name, found) in &all {
                    self.say(&(text::head(name) + &text::inference(found)), || {
                        json::inference(found)
                    })?;
                }
                Ok(())
            }
            LineQuestion::AllPanoramas => {
                let all = answer(self.health.dump_panorama(Empty {})).await?.panoramas;
                let mut all: Vec<_> = all.into_iter().collect();
                all.sort_by(|a, b| text::natural(&a.0, &b.0));
                for (name, found) in &all {
                    self.say(&(text::head(name) + &text::panorama(found)), || {
                        json::panorama(found)
                    })?;
                }
                Ok(())
            }
            LineQuestion::AllVerdicts => {
                let all = answer(self.verdicts.list_verdicts(ListVerdictsRequest::default()))
                    .await?
                    .verdicts;
                for found in &all {
                    self.say(&(text::head(&found.subject) + &text::verdict(found)), || {
                        json::verdict(found)
                    })?;
                }
                Ok(())
            }
        }
    }

    async fn watch(&mut self, subjects: Vec<String>) -> Result<(), ToolError> {
        let mut changes = self
            .verdicts
            .watch(WatchRequest { subjects })
            .await
            .map_err(|status| of_status(&status))?
            .into_inner();
        while let Some(reply) = changes.message().await.map_err(|status| of_status(&status))? {
            match reply.event {
                Some(watch_reply::Event::Current(found)) => {
                    self.say(&text::verdict(&found), || json::verdict(&found))?
                }
                Some(watch_reply::Event::Change(change)) => {
                    self.say(&text::transition(&change), || json::transition(&change))?
                }
                Some(watch_reply::Event::Missed(count)) => {
                    self.say(
                        &format!("{count} changes were missed\n"),
                        || json!({"missed": count}),
                    )?;
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// What a call is answered with, in time.
async fn answer<T>(
    call: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
) -> Result<T, ToolError> {
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(outcome) => outcome
            .map(tonic::Response::into_inner)
            .map_err(|status| of_status(&status)),
        Err(_) => Err(ToolError::Failed(format!(
            "no answer within {} s",
            DEADLINE.as_secs()
        ))),
    }
}

fn of_status(status: &tonic::Status) -> ToolError {
    ToolError::Failed(status.message().to_owned())
}

/// An error and what led to it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

/// Commands line by line, until there are no more. A command that fails does not end it.
fn interactive(runtime: &tokio::runtime::Runtime, client: &mut ClientSession) -> Result<(), ToolError> {
    let mut lines = ClientLines::open()?;
    while let Some(line) = lines.next()? {
        let words: Vec<_> = line.split_whitespace().collect();
        let outcome = match line::parse(&words) {
            Ok(LineCommand::Exit) => break,
            Ok(command) => runtime.block_on(client.obey(command)),
            Err(wrong) => Err(ToolError::Usage(wrong.to_string())),
        };
        if let Err(error) = outcome {
            complain(&error.to_string());
        }
    }
    Ok(())
}

/// Where lines come from: a person with history and completion, or a pipe.
enum ClientLines {
    Person(Box<Editor<LineWords, MemHistory>>),
    Pipe(std::io::StdinLock<'static>),
}

/// What stands before each command.
const PROMPT: &str = "> ";

impl ClientLines {
    fn open() -> Result<Self, ToolError> {
        if !std::io::stdin().is_terminal() {
            return Ok(Self::Pipe(std::io::stdin().lock()));
        }
        let settings = rustyline::Config::default();
        let mut editor = Editor::with_history(settings, MemHistory::new()).map_err(ToolError::failed)?;
        editor.set_helper(Some(LineWords));
        Ok(Self::Person(Box::new(editor)))
    }

    fn next(&mut self) -> Result<Option<String>, ToolError> {
        match self {
            Self::Person(editor) => match editor.readline(PROMPT) {
                Ok(line) => {
                    // A line that cannot be remembered can still be obeyed.
                    let _ = editor.add_history_entry(&line);
                    Ok(Some(line))
                }
                Err(ReadlineError::Eof | ReadlineError::Interrupted) => Ok(None),
                Err(error) => Err(ToolError::failed(error)),
            },
            Self::Pipe(pipe) => {
                print(PROMPT)?;
                let mut line = String::new();
                let read = pipe.read_line(&mut line).map_err(ToolError::failed)?;
                Ok((read > 0).then_some(line))
            }
        }
    }
}

/// Completes the first word of a line.
struct LineWords;

impl Completer for LineWords {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        end: usize,
        _: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = line.get(..end).unwrap_or(line);
        let found = line::WORDS.iter().filter(|word| word.starts_with(typed));
        Ok((0, found.map(|word| format!("{word} ")).collect()))
    }
}

impl Hinter for LineWords {
    type Hint = String;
}

impl Highlighter for LineWords {}
impl Validator for LineWords {}
impl Helper for LineWords {}
