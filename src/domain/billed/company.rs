//! Companies that send bills: how calls name each, and what is known of what it sells.

use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::price::provider_key;

/// What stands behind a company's name on invoices.
const LEGAL_FORMS: [&str; 8] = [" llc", " opco", " inc", " pbc", " ltd", " limited", " gmbh", " ai"];

/// What may also stand behind the names of sellers of models: other legal forms, and the country that a daughter sells in. Names of one's
/// own, of gateways for instance, end so too and are whole.
const DAUGHTERS: [&str; 33] = [
    " systems",
    " corp",
    " corporation",
    " co",
    " plc",
    " sas",
    " s.a.s",
    " sa",
    " s.a",
    " sarl",
    " s.r.l",
    " srl",
    " ab",
    " nv",
    " n.v",
    " bv",
    " b.v",
    " ag",
    " gk",
    " k.k",
    " kk",
    " pte",
    " pvt",
    " pty",
    " ireland",
    " uk",
    " germany",
    " france",
    " japan",
    " india",
    " singapore",
    " canada",
    " europe",
];

/// What else may stand behind a company's name that calls leave away: `AI21 Labs`.
const ADDED: [&str; 1] = [" labs"];

/// Sellers of models alone: everything they bill is use of models.
const SELLERS: [&str; 19] = [
    "anthropic",
    "openai",
    "bedrock",
    "vertex",
    "mistral",
    "xai",
    "deepseek",
    "groq",
    "cohere",
    "openrouter",
    "together",
    "fireworks",
    "moonshot",
    "cerebras",
    "dashscope",
    "minimax",
    "perplexity",
    "voyage",
    "zai",
];

/// Companies under whose roof much else is sold, beside the clouds: of these no row is of models but those that say so, even where a bill has
/// one service alone. `watsonx` is IBM.
const ROOFS: [&str; 29] = [
    "oracle",
    "watsonx",
    "databricks",
    "snowflake",
    "cloudflare",
    "vercel",
    "digitalocean",
    "ovh",
    "ovhcloud",
    "scaleway",
    "tencent cloud",
    "huawei cloud",
    "nvidia",
    "github",
    "gitlab",
    "nebius",
    "lambda",
    "coreweave",
    "crusoe",
    "vultr",
    "akamai",
    "linode",
    "hetzner",
    "heroku",
    "render",
    "modal",
    "runpod",
    "sap",
    "salesforce",
];

/// A company's name as people say it: `openai opco, llc` and, with the forms of daughters, `openai ireland ltd.` are `openai`.
fn without_legal_form<'a>(name: &'a str, more: &[&[&str]]) -> &'a str {
    let mut name = front(name);
    loop {
        let plain = name.strip_suffix('.').unwrap_or(name);
        let mut forms = LEGAL_FORMS.iter().chain(more.iter().copied().flatten());
        match forms.find_map(|form| plain.strip_suffix(form)) {
            Some(short) => name = short.trim(),
            None => return name,
        }
    }
}

fn front(name: &str) -> &str {
    name.split(',').next().unwrap_or(name).trim()
}

/// The seller that a company's name on an invoice is of, in one spelling: of those that are known, their daughters and web addresses too.
pub(super) fn company(name: &str) -> String {
    let short = without_legal_form(name, &[&DAUGHTERS]);
    let address = match short {
        "together computer" => Some("together"),
        "international business machines" => Some("watsonx"),
        _ => short.strip_suffix(".ai").or_else(|| short.strip_suffix(".com")),
    };
    // `Modal Labs, Inc.` is no less known than `Modal`.
    let bare = without_legal_form(name, &[&DAUGHTERS, &ADDED]);
    let mut sellers = [Some(short), address, Some(bare)]
        .into_iter()
        .flatten()
        .map(provider_key);
    sellers
        .find(|seller| is_known(seller))
        .unwrap_or_else(|| provider_key(without_legal_form(name, &[])))
}

/// Whether a company, as [`company`] spells it, sells models alone.
pub(super) fn is_seller(company: &str) -> bool {
    SELLERS.contains(&company)
}

fn is_known(company: &str) -> bool {
    is_seller(company) || ROOFS.contains(&company)
}

/// Who sends a bill, in one spelling, whatever it is about: a cloud has several names.
#[must_use]
pub fn biller(provider: &str) -> String {
    let name = provider.trim().to_lowercase();
    cloud(&name).map_or_else(|| company(&name), str::to_owned)
}

fn cloud(name: &str) -> Option<&'static str> {
    let mut clouds = CLOUDS.iter();
    let cloud = clouds.find(|(words, _)| words.iter().any(|word| name.contains(word)));
    cloud.map(|(_, cloud)| *cloud)
}

/// The words of the clouds' names, and the one spelling of each.
const CLOUDS: [([&str; 2], &str); 3] = [
    (["amazon", "aws"], "aws"),
    (["microsoft", "azure"], "azure"),
    (["google", "gcp"], "google"),
];

/// A company that sends bills, other than a cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Company {
    /// Its name where no calls tell another: without the legal form.
    pub name: Label,
    /// What else calls to it may name it, the longest first: as it stands, without its legal form, without the country and `Labs`, and each
    /// without blanks. Of one that is known it is the name alone.
    pub spellings: [Label; 6],
    /// Whether nothing is known of what it sells.
    pub is_open: bool,
}

impl Company {
    /// The shortest of its spellings.
    #[must_use]
    pub fn shortest(&self) -> Label {
        let [.., shortest] = self.spellings;
        shortest
    }
}

/// The company that a row of a bill is of; none of a cloud's row.
#[must_use]
pub fn billing_company(dimensions: &Dimensions) -> Option<Company> {
    let name = dimensions.get(Dimension::Provider).as_str().trim().to_lowercase();
    let key = company(&name);
    if cloud(&name).is_some() || key.is_empty() {
        return None;
    }
    let label = Label::new(&key);
    let is_open = !is_known(&key);
    let spellings = match is_open {
        true => spellings(&name),
        false => [label; 6],
    };
    Some(Company {
        name: label,
        spellings,
        is_open,
    })
}

fn spellings(name: &str) -> [Label; 6] {
    let long = front(name);
    let short = without_legal_form(name, &[]);
    let shortest = without_legal_form(name, &[&DAUGHTERS, &ADDED]);
    let spelled = |name: &str| Label::new(&provider_key(name));
    let close = |name: &str| spelled(&name.replace(' ', ""));
    [
        spelled(long),
        spelled(short),
        spelled(shortest),
        close(long),
        close(short),
        close(shortest),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_sellers_lose_more_than_their_legal_form() {
        for (name, expected) in [
            ("Gateway Europe", "gateway europe"),
            ("my corp", "my corp"),
            ("Acme, Inc.", "acme"),
            ("OpenAI Ireland Ltd", "openai"),
            ("X.AI Corp.", "xai"),
        ] {
            assert_eq!(biller(name), expected);
        }
    }

    #[test]
    fn a_company_that_is_not_known_has_the_names_that_calls_may_have_for_it() {
        for (provider, names) in [
            ("DeepInfra, Inc.", ["deepinfra"].as_slice()),
            ("Novita AI", &["novita"]),
            ("Platform Team", &["platform team", "platformteam"]),
            ("SambaNova Systems, Inc.", &["sambanova systems", "sambanova"]),
            ("Baseten Labs, Inc.", &["baseten labs", "baseten"]),
            ("AI21 Labs", &["ai21 labs", "ai21"]),
            ("Chutes Pte. Ltd.", &["chutes"]),
            ("Hugging Face", &["hugging face", "huggingface"]),
            ("Hugging Face S.A.S.", &["hugging face", "huggingface"]),
            ("Zhipu AI", &["zhipu ai", "zhipu", "zhipuai"]),
            ("Gateway Europe", &["gateway europe", "gateway"]),
        ] {
            let row = Dimensions::default().with(Dimension::Provider, provider);
            let company = billing_company(&row).unwrap();
            assert!(company.is_open, "{provider}");
            for name in names {
                assert!(company.spellings.contains(&Label::new(name)), "{provider}: {company:?}");
            }
        }
        for (provider, name) in [
            ("Oracle Corporation", Some("oracle")),
            ("Databricks, Inc.", Some("databricks")),
            ("Nebius B.V.", Some("nebius")),
            ("Modal Labs, Inc.", Some("modal")),
            ("Lambda Labs, Inc.", Some("lambda")),
            ("Scaleway S.A.S.", Some("scaleway")),
            ("International Business Machines Corporation", Some("watsonx")),
            ("OpenAI", Some("openai")),
            ("Amazon Web Services", None),
            ("Microsoft", None),
            ("", None),
        ] {
            let row = Dimensions::default().with(Dimension::Provider, provider);
            let found = billing_company(&row).map(|company| (company.spellings, company.is_open));
            assert_eq!(found, name.map(|name| ([Label::new(name); 6], false)), "{provider}");
        }
    }
}
