//! The whole of it, black box: the real binary between a real Redis, carbon clients, a mail server, a
//! Graphite and a browser, all on sockets of this machine.

mod access;
mod accessibility;
mod adaptive;
mod api;
mod backup;
mod causes;
mod check;
mod demo;
mod embedded;
mod end_to_end;
mod faults;
mod formats;
mod garbage;
mod grafana;
mod import_skyline;
mod init;
mod logs;
mod operating;
mod pages;
mod processes;
mod redis_world;
mod reference;
mod settings;
mod state_folder;
mod status;
mod stderr;
mod templates;
mod try_rules;
mod verdicts;
mod votes;
