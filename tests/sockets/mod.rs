//! The server over real sockets, in this process and as a program. Most of these tests wait for something.

mod admission;
mod advisories;
mod api;
mod authentication;
mod bombs;
mod clients;
mod closing_states;
mod compression;
mod counters;
mod from_any_thread;
mod inspect;
mod log;
mod naive_push;
mod one_page;
mod program;
mod push;
mod real_client;
mod receive;
mod recipes;
mod routes;
mod server;
mod sixty_lines;
mod sixty_lines_client;
