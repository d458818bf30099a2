//! The HTTP client of the SDK with a span around every attempt of a call.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use crate::adapters::traces::{Attributes, Kind, Tracer, Value};

/// Around a client.
#[derive(Debug)]
pub struct TracedClient {
    /// The client.
    pub client: SharedHttpClient,
    /// Takes the spans.
    pub tracer: Tracer,
}

impl HttpClient for TracedClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, parts: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(TracedConnector {
            connector: self.client.http_connector(settings, parts),
            tracer: self.tracer.clone(),
        })
    }
}

#[derive(Debug)]
struct TracedConnector {
    connector: SharedHttpConnector,
    tracer: Tracer,
}

impl HttpConnector for TracedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (service, method) = called(&request);
        let about: Attributes = vec![
            ("rpc.system", Value::from("aws-api")),
            ("rpc.service", Value::from(service.as_str())),
            ("rpc.method", Value::from(method.as_str())),
            ("server.address", Value::from(host(request.uri()))),
        ];
        let mut span = self.tracer.span(&format!("{service}/{method}"), Kind::Client, about);
        let answer = self.connector.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await;
            match &answer {
                Ok(response) => {
                    let status = response.status().as_u16();
                    span.set("http.response.status_code", Value::Number(i64::from(status)));
                    if status >= 400 {
                        span.fail(&format!("answered {status}"));
                    }
                }
                // The text may hold the address: only what kind of failure it was is told.
                Err(error) if error.is_timeout() => span.fail("no answer in time"),
                Err(_) => span.fail("no answer"),
            }
            answer
        })
    }
}

/// Service and operation: named in a header by the JSON protocols, in the body by the query protocol.
fn called(request: &HttpRequest) -> (String, String) {
    if let Some((service, method)) = request
        .headers()
        .get("x-amz-target")
        .and_then(|target| target.split_once('.'))
    {
        let service = service.split('_').next().unwrap_or(service);
        return (service.to_owned(), method.to_owned());
    }
    let body = request
        .body()
        .bytes()
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .unwrap_or_default();
    let method = body
        .split('&')
        .find_map(|pair| pair.strip_prefix("Action="))
        .unwrap_or("call");
    let service = if method == "Publish" { "SNS" } else { "STS" };
    (service.to_owned(), method.to_owned())
}

fn host(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_named_by_its_protocol() {
        let mut json = HttpRequest::empty();
        json.headers_mut().insert("x-amz-target", "DynamoDB_20120810.GetItem");
        assert_eq!(called(&json), ("DynamoDB".to_owned(), "GetItem".to_owned()));
        let query = HttpRequest::new("Action=Publish&Version=2010-03-31".into());
        assert_eq!(called(&query), ("SNS".to_owned(), "Publish".to_owned()));
        assert_eq!(
            host("https://sts.us-east-1.amazonaws.com:443/x?y"),
            "sts.us-east-1.amazonaws.com"
        );
    }
}
