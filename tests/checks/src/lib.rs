//! Checks of the sources themselves, which no compiler makes: each is a function over files and a small program that
//! prints what it finds, one place to a line, and fails when there is any.
//!
//! - [`circles`]: files of a crate that import each other in a circle
//! - [`prose`]: phrases and line lengths of what people read
//! - [`links`]: links between Markdown files, and the pages of the book
//! - [`commands`]: who runs the commands that the book shows
//! - [`values`]: the values of a chart, which its README has as a table

pub mod circles;
pub mod commands;
mod fences;
pub mod links;
pub mod prose;
pub mod values;
