//! The recipes of docs/usage-format.md for tables of dashboards: each reads a table with the header that its dashboard writes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::support::{err, finops, json, out};

/// The settings that the document shows, by the name of their source.
fn recipes() -> BTreeMap<String, String> {
    let text = include_str!("../../docs/usage-format.md");
    let (_, section) = text.split_once("## Tables of dashboards").unwrap();
    let blocks = section.split("```toml\n").skip(1);
    let blocks = blocks.map(|block| block.split_once("```").unwrap().0);
    let name = |block: &str| block.split('"').nth(1).unwrap().to_owned();
    blocks.map(|block| (name(block), block.to_owned())).collect()
}

/// Two downloads of it, the second one later: file, text.
type Downloads = [(&'static str, &'static str); 2];
/// A model of the report with its calls, input, reads, writes for 5 minutes, output and, if told, cost.
type Row = (&'static str, [u64; 5], &'static str);

const OPENROUTER: Downloads = [
    (
        "openrouter-1.csv",
        "generation_id,created_at,cost_total,cost_web_search,cost_cache,cost_file_processing,byok_usage_inference,tokens_prompt,tokens_completion,tokens_reasoning,tokens_cached,model_permaslug,provider_name,variant,cancelled,streamed,user,finish_reason_raw,finish_reason_normalized,generation_time_ms,time_to_first_token_ms,api_key_disabled,api_key_name,app_name\n\
         gen-1-a,2026-11-20 03:46:57.713,0.0123,,,,,10389,137,0,4000,openai/gpt-oss-120b,DeepInfra,standard,false,true,,stop,stop,1200,300,false,dev,Cline\n",
    ),
    (
        "openrouter-2.csv",
        "generation_id,created_at,cost_total,cost_web_search,cost_cache,cost_file_processing,byok_usage_inference,tokens_prompt,tokens_completion,tokens_reasoning,tokens_cached,model_permaslug,provider_name,variant,cancelled,streamed,user,finish_reason_raw,finish_reason_normalized,generation_time_ms,time_to_first_token_ms,api_key_disabled,api_key_name,app_name\n\
         gen-1-b,2026-11-21 03:46:57.713,0.02,,-0.01,,,1000,100,10,,openai/gpt-oss-120b,DeepInfra,standard,false,true,,stop,stop,1200,300,false,dev,Cline\n\
         gen-1-a,2026-11-20 03:46:57.713,0.0123,,,,,10389,137,0,4000,openai/gpt-oss-120b,DeepInfra,standard,false,true,,stop,stop,1200,300,false,dev,Cline\n",
    ),
];

const CURSOR: Downloads = [
    (
        "cursor-1.csv",
        "Date,User,Cloud Agent ID,Automation ID,Kind,Model,Max Mode,Input (w/ Cache Write),Input (w/o Cache Write),Cache Read,Output Tokens,Total Tokens,Cost\n\
         \"2026-11-20T10:00:00.000Z\",\"a@b.c\",\"\",\"\",\"Included\",\"claude-4.5-sonnet\",\"No\",\"1200\",\"1000\",\"5000\",\"300\",\"7500\",\"Included\"\n",
    ),
    (
        "cursor-2.csv",
        "Date,User,Cloud Agent ID,Automation ID,Kind,Model,Max Mode,Input (w/ Cache Write),Input (w/o Cache Write),Cache Read,Output Tokens,Total Tokens,Cost\n\
         \"2026-11-21T12:00:00.000Z\",\"a@b.c\",\"\",\"\",\"Errored, No Charge\",\"claude-4.5-sonnet\",\"No\",\"0\",\"0\",\"0\",\"0\",\"0\",\"-\"\n\
         \"2026-11-20T10:00:00.000Z\",\"a@b.c\",\"\",\"\",\"Included\",\"claude-4.5-sonnet\",\"No\",\"1200\",\"1000\",\"5000\",\"300\",\"7500\",\"Included\"\n",
    ),
];

/// The second one tells more of the day that was not over when the first one was made.
const CONSOLE: Downloads = [
    (
        "console-1.csv",
        "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,web_search_count,inference_geo,speed\n\
         2026-11-01,claude-sonnet-4-6,app,Default,standard,≤ 200k,1000000,0,0,0,0,0,not_available,\n\
         2026-11-21,claude-sonnet-4-6,app,Default,standard,≤ 200k,2000000,0,0,0,0,0,not_available,\n",
    ),
    (
        "console-2.csv",
        "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,web_search_count,inference_geo,speed\n\
         2026-11-21,claude-sonnet-4-6,app,Default,batch,≤ 200k,1000000,0,0,0,0,0,not_available,\n\
         2026-11-21,claude-sonnet-4-6,app,Default,standard,≤ 200k,1000000,0,0,0,200000,0,not_available,\n",
    ),
];

const OPENAI: Downloads = [
    (
        "completions_usage_1.csv",
        "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,model,batch,service_tier,input_tokens,output_tokens,input_cached_tokens,input_uncached_tokens\n\
         1793491200,1793577600,2026-11-01T00:00:00+00:00,2026-11-02T00:00:00+00:00,proj_a,3.0,,key_1,gpt-4o-2024-08-06,False,default,3608,564,600,3008\n",
    ),
    (
        "completions_usage_2.csv",
        "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,model,batch,service_tier,input_tokens,output_tokens,input_cached_tokens,input_uncached_tokens\n\
         1793491200,1793577600,2026-11-01T00:00:00+00:00,2026-11-02T00:00:00+00:00,proj_a,4.0,,key_1,gpt-4o-2024-08-06,False,default,4608,600,1600,3008\n\
         1793577600,1793664000,2026-11-02T00:00:00+00:00,2026-11-03T00:00:00+00:00,,,,,,,,,,,\n",
    ),
];

/// What a report tells in a zone of the Americas for November, in which the first day of each table is.
fn told(folder: &Path) -> BTreeMap<String, [u64; 5]> {
    let args = [
        "report",
        "--by",
        "model",
        "--from",
        "2026-11-01",
        "--to",
        "2026-12-01",
        "--zone",
        "America/New_York",
    ];
    let report = json(&finops(folder, &[&args[..], &["--format", "json"]].concat()));
    let counts = [
        "events",
        "input_uncached_tokens",
        "cache_read_tokens",
        "cache_write_5m_tokens",
        "output_tokens",
    ];
    let rows = report["rows"].as_array().unwrap().iter();
    rows.map(|row| {
        (
            row["model"].as_str().unwrap().to_owned(),
            counts.map(|count| row[count].as_u64().unwrap()),
        )
    })
    .collect()
}

#[test]
fn each_recipe_reads_its_table_once_and_by_the_newest_download() {
    let recipes = recipes();
    let cases: [(&str, Downloads, Row); 4] = [
        (
            "openrouter",
            OPENROUTER,
            ("openai/gpt-oss-120b", [2, 7389, 4000, 0, 237], ""),
        ),
        ("cursor", CURSOR, ("claude-4.5-sonnet", [1, 1000, 5000, 1200, 300], "")),
        // 3 of the first day, 3 + 3 of the day in both, 1.50 of its batches.
        (
            "console",
            CONSOLE,
            ("claude-sonnet-4-6", [3, 3_000_000, 0, 0, 200_000], "10.5"),
        ),
        (
            "openai-dashboard",
            OPENAI,
            ("gpt-4o-2024-08-06", [1, 3008, 1600, 0, 600], ""),
        ),
    ];
    assert_eq!(
        recipes.keys().collect::<Vec<_>>().len(),
        cases.len(),
        "a recipe without a table"
    );
    for (name, downloads, (model, counts, cost)) in cases {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let settings = format!("[store]\nurl = \"sqlite:ledger.db\"\n\n{}", recipes[name]);
        std::fs::write(path.join("finops.toml"), settings).unwrap();
        // The newer one is read before the older one, too.
        for (age, (file, text)) in [1, 2].into_iter().zip(downloads.into_iter().rev()) {
            std::fs::write(path.join(file), text).unwrap();
            let changed = SystemTime::now() - Duration::from_secs(age * 86_400);
            let opened = std::fs::File::options().write(true).open(path.join(file)).unwrap();
            opened.set_modified(changed).unwrap();
            let record = finops(path, &["record"]);
            assert!(record.status.success(), "{name}: {}{}", out(&record), err(&record));
            assert!(!err(&record).contains("rejected"), "{name}: {}", err(&record));
        }
        assert_eq!(told(path), BTreeMap::from([(model.to_owned(), counts)]), "{name}");
        if !cost.is_empty() {
            let report = json(&finops(path, &["report", "--format", "json"]));
            assert_eq!(report["total"]["cost_usd"], cost, "{name}");
        }
    }
}

#[test]
fn only_an_identity_is_several_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (columns, sound, told) in [
        ("id = [\"a\", \"b\"]\n", true, "id = ["),
        (
            "team = [\"a\", \"b\"]\n",
            false,
            "`team` is one column: only `id` may be several",
        ),
        ("id = []\n", false, "`id` names no column"),
        ("id = 5\n", false, "the name of a column, or a list of such"),
    ] {
        let settings = format!(
            "[[source]]\nname = \"t\"\nkind = \"plain\"\npaths = [\"*.csv\"]\n[source.values]\nprovider = \"p\"\nmodel = \"m\"\n\
             [source.columns]\nts = \"day\"\n{columns}"
        );
        std::fs::write(path.join("finops.toml"), settings).unwrap();
        let check = finops(path, &["config", "check"]);
        assert_eq!(check.status.success(), sound, "{columns}{}{}", out(&check), err(&check));
        let show = finops(path, &["config", "show"]);
        let said = out(&show) + &err(&check);
        assert!(said.contains(told), "{columns}{said}");
    }
}
