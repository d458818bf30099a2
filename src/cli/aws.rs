//! `finops aws`: what this program may do in an account.

use super::wire::cloud;
use super::{CliError, Context, Exit, Format};

/// The arguments of `finops aws`.
#[derive(Debug, clap::Args)]
pub struct AwsArgs {
    /// What to show
    #[command(subcommand)]
    pub what: What,
}

/// What to show.
#[derive(Debug, clap::Subcommand)]
pub enum What {
    /// The IAM actions that each part calls
    Permissions,
}

/// Shows the IAM actions.
pub fn run(ctx: &mut Context<'_>, args: &AwsArgs) -> Result<Exit, CliError> {
    let What::Permissions = args.what;
    let parts = cloud::permissions()?;
    match ctx.format {
        Format::Json => {
            let parts: Vec<_> = parts.iter().map(|(sid, actions)| document(sid, actions)).collect();
            writeln!(ctx.out, "{:#}", serde_json::json!(parts))?;
        }
        Format::Jsonl => {
            for (sid, actions) in &parts {
                writeln!(ctx.out, "{}", document(sid, actions))?;
            }
        }
        Format::Table => {
            for (sid, actions) in &parts {
                writeln!(ctx.out, "{sid}")?;
                for action in actions {
                    writeln!(ctx.out, "  {action}")?;
                }
            }
        }
        Format::Csv | Format::Markdown | Format::Html => {
            return Err(
                CliError::usage("`finops aws permissions` has no such format").hint("use `--format json` or `jsonl`")
            );
        }
    }
    Ok(Exit::Fine)
}

fn document(sid: &str, actions: &[&str]) -> serde_json::Value {
    serde_json::json!({ "sid": sid, "actions": actions })
}
