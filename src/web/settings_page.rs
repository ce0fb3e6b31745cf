//! The page of settings: every value in force, and who set it. Secrets are masked where the table is made.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use minijinja::{Value, context};
use serde::Deserialize;
use skywatch_settings::{Origin, SettingRow};

use super::settings_table::SettingsTable;
use super::site::{Site, SiteState, of_a_page, page};
use crate::net::routes::HttpRoute;
use crate::status::ReloadStatus;

/// The routes of this page.
pub(super) fn routes(site: &Arc<Site>) -> [HttpRoute; 1] {
    [HttpRoute::login(
        "/settings",
        get(settings).with_state(Arc::clone(site)),
    )]
}

/// `?q=` only keys that hold this, `?set=1` only what somebody has set.
#[derive(Deserialize)]
struct SettingsQuery {
    #[serde(default)]
    q: String,
    set: Option<String>,
}

impl SettingsQuery {
    fn takes(&self, row: &SettingRow) -> bool {
        row.key.contains(self.q.trim()) && (self.set.is_none() || row.origin != Origin::Default)
    }
}

async fn settings(State(site): SiteState, Query(query): Query<SettingsQuery>) -> Response {
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || {
        let context = describe(&asked.settings.current(), asked.reload().as_ref(), &query);
        page(
            asked
                .pages
                .render("settings.html", "/settings", &asked.analyzer(), context),
        )
    });
    drawn.await.unwrap_or_else(|response| response)
}

fn describe(table: &SettingsTable, reload: Option<&ReloadStatus>, query: &SettingsQuery) -> Value {
    let mut sections: Vec<(&str, Vec<Value>)> = Vec::new();
    for row in table.rows.iter().filter(|row| query.takes(row)) {
        let section = row.key.split(['.', '[']).next().unwrap_or_default();
        let section = if row.key.contains(['.', '[']) { section } else { "" };
        let line = context! {
            key => row.key.as_str(),
            value => row.value.as_str(),
            origin => row.origin.to_string(),
            is_set => row.origin != Origin::Default,
        };
        match sections.last_mut() {
            Some((last, lines)) if *last == section => lines.push(line),
            _ => sections.push((section, vec![line])),
        }
    }
    let sections = sections.into_iter().map(|(name, lines)| context! { name, lines });
    context! {
        is_known => !table.rows.is_empty(),
        q => query.q.as_str(),
        set => query.set.is_some(),
        notes => table.notes.clone(),
        reload => reload.map(|reload| context! {
            at => reload.at,
            refused => reload.refused.as_deref(),
            restart => reload.restart.clone(),
        }),
        sections => sections.collect::<Vec<_>>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::AnalyzerStatus;
    use crate::web::pages::Pages;

    #[test]
    fn every_value_has_its_origin_and_no_secret_is_shown() {
        let loaded = skywatch_settings::load(skywatch_settings::Sources {
            env: vec![
                ("HOME".to_owned(), "/root".to_owned()),
                ("SKYWATCH__WEB__TOKEN".to_owned(), "very-secret-token".to_owned()),
                (
                    "SKYWATCH__STORE__URL".to_owned(),
                    "redis://:hidden-word@127.0.0.1/0".to_owned(),
                ),
            ],
            flags: vec![("analyzer.workers".to_owned(), "3".to_owned(), "--set".to_owned())],
            ..Default::default()
        });
        let loaded = loaded.expect("settings");
        let table = SettingsTable {
            rows: loaded.rows().to_vec(),
            notes: Vec::new(),
        };
        let draw = |set: Option<&str>| {
            let query = SettingsQuery {
                q: String::new(),
                set: set.map(str::to_owned),
            };
            let pages = Pages::new().expect("templates");
            let reload = ReloadStatus {
                refused: Some("line 3 is wrong".to_owned()),
                restart: vec!["web.listen".to_owned()],
                ..ReloadStatus::default()
            };
            let context = describe(&table, Some(&reload), &query);
            let drawn = pages.render("settings.html", "/settings", &AnalyzerStatus::default(), context);
            drawn.expect("a page")
        };
        let all = draw(None);
        for words in [
            "web.token",
            "environment SKYWATCH__WEB__TOKEN",
            "***",
            "flag --set",
            "line 3 is wrong",
            "<code>web.listen</code>",
            "analyzer.consensus",
        ] {
            assert!(all.contains(words), "no {words:?} in {all}");
        }
        assert!(
            !all.contains("very-secret-token") && !all.contains("hidden-word"),
            "{all}"
        );
        assert!(!draw(Some("1")).contains("analyzer.consensus"));
    }
}
