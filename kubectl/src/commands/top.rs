//! `top`: a line for each Indexer.

use anyhow::Result;

use crate::{
    cluster::Cluster,
    document::{Format, document},
    facts::Facts,
    indexers, screen,
    screen::top::Row,
    style::Style,
};

/// The table of the namespace's Indexers, or of all, and what it lacks. It takes no right but to list Indexers.
///
/// # Errors
/// If they cannot be listed.
pub async fn top(
    cluster: &Cluster,
    everywhere: bool,
    format: Option<Format>,
    style: Style,
) -> Result<(String, Vec<String>)> {
    let listed = indexers::list(cluster, everywhere).await?;
    let rows: Vec<Row> = listed.seen.iter().map(|seen| Row::of(&Facts::of(seen))).collect();
    let unreadable = listed.unreadable.iter().map(|problem| format!("Left out: {problem}."));
    let cut = listed.is_cut.then(|| "There are more, which are left out.".to_owned());
    let remarks = unreadable.chain(cut).collect();
    if let Some(format) = format {
        return Ok((document(&rows, format)?, remarks));
    }
    let mut said = screen::top::top(&rows, everywhere, style);
    if rows.is_empty() {
        said += &match everywhere {
            true => "There are no Indexers in this cluster.\n".to_owned(),
            false => format!("There are no Indexers in namespace {}.\n", cluster.namespace),
        };
    }
    Ok((said, remarks))
}
