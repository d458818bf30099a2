#!/usr/bin/env python3
"""Writes a provider's bill of N rows in the form of FOCUS 1.2: one CSV and three Parquet files of the same rows.

    gen_focus.py ROWS OUT        writes OUT.csv, OUT.parquet (costs as DECIMAL), OUT-double.parquet (costs as DOUBLE) and
                                 OUT-map.parquet (costs as DOUBLE, tags as a map, packed with Zstandard)

Needs DuckDB (`pip install duckdb`). The same ROWS and seed give the same rows. What the bill looks like, all of it below:
one billing account, the hours of two billing periods (September and October 2026), rows in order of time and in no order
within an hour; 20 sub accounts, 30 services, the large ones and a third of the others in each account; of 10,000,000 rows an hour
has 1,700 of some 30,000 resources, each with four meters, for three days at a time; 24 teams, of which an account belongs to two,
with two projects each; tags as JSON, absent from a seventh of the resources, with a name of the resource in a fifth; 1.5 % of the
rows count tokens of a model; costs of ten decimals, 1.5 % credits below zero; commitments that make the effective cost differ.
"""
import sys

import duckdb

SEED = 20_260_901
HOURS = 1464

SERVICES = """
Amazon Elastic Compute Cloud|Compute|Hours|2000
Amazon Simple Storage Service|Storage|GB-Months|1600
Amazon Relational Database Service|Databases|Hours|900
AWS Lambda|Compute|GB-Seconds|800
Amazon CloudWatch|Management and Governance|Metrics|700
Elastic Load Balancing|Networking|LCU-Hours|500
Amazon Virtual Private Cloud|Networking|GB|500
Amazon DynamoDB|Databases|Requests|400
Amazon Simple Queue Service|Integration|Requests|300
Amazon Simple Notification Service|Integration|Requests|250
AWS Key Management Service|Security|Requests|250
Amazon Elastic Container Service|Compute|Hours|250
Amazon Elastic Kubernetes Service|Compute|Hours|200
Amazon Elastic Block Store|Storage|GB-Months|600
Amazon CloudFront|Networking|GB|150
Amazon Route 53|Networking|Requests|120
AWS Secrets Manager|Security|Requests|110
Amazon Kinesis|Analytics|Requests|100
Amazon OpenSearch Service|Analytics|Hours|90
Amazon Redshift|Analytics|Hours|80
AWS Glue|Analytics|Hours|80
Amazon Athena|Analytics|GB|70
Amazon ElastiCache|Databases|Hours|70
AWS Step Functions|Integration|Requests|60
Amazon API Gateway|Integration|Requests|60
AWS CloudTrail|Management and Governance|Events|60
AWS Config|Management and Governance|Events|50
Amazon Elastic File System|Storage|GB-Months|50
Amazon Bedrock|AI and Machine Learning|1K tokens|400
Amazon SageMaker|AI and Machine Learning|Hours|120
"""

# A number from 0 below n that depends on its arguments and the seed alone.
MACROS = f"""
CREATE MACRO pick(n, a, b, salt) AS (hash(a, b, salt, {SEED}) % n)::INTEGER;
"""


def services():
    rows = [line.split("|") for line in SERVICES.strip().splitlines()]
    values = ", ".join(f"({at}, '{name}', '{kind}', '{unit}', {weight})" for at, (name, kind, unit, weight) in enumerate(rows))
    # Cumulated weights, so that a number picks a service.
    return f"""
    CREATE TABLE service AS SELECT *, sum(weight) OVER (ORDER BY no) - weight AS low, sum(weight) OVER (ORDER BY no) AS high
    FROM (VALUES {values}) AS t(no, name, kind, unit, weight);
    """


RESOURCES = """
CREATE TABLE resource AS
WITH drawn AS (
  SELECT r AS no,
    pick(100, r, 0, 'account')::INTEGER AS a,
    pick((SELECT max(high) FROM service), r, 0, 'service') AS w,
    pick(2, r, 0, 'team') AS t, pick(2, r, 0, 'project') AS p, pick(5, r, 0, 'region') AS g,
    pick(40, r, 0, 'sku') AS sku, pick(9000, r, 0, 'price') + 7 AS price, pick(7, r, 0, 'tagged') AS tagged,
    pick(5, r, 0, 'named') AS named, pick(3, r, 0, 'environment') AS e, pick(4, r, 0, 'commitment') AS c
  FROM range(40000) AS t(r)
), placed AS (
  -- Half of the resources lie in five accounts.
  SELECT *, CASE WHEN a < 50 THEN a % 5 ELSE a % 20 END AS account FROM drawn
)
SELECT p.no, account, s.no AS service_no, s.name AS service, s.kind, s.unit,
  ['us-east-1', 'us-west-2', 'eu-central-1', 'eu-west-1', 'ap-southeast-2'][g + 1] AS region,
  ['US East (N. Virginia)', 'US West (Oregon)', 'Europe (Frankfurt)', 'Europe (Ireland)', 'Asia Pacific (Sydney)'][g + 1] AS region_name,
  format('{:012d}', 210000000000 + account * 7919331) AS sub_account,
  'workload-' || account AS sub_account_name,
  'arn:aws:' || lower(regexp_replace(s.name, '[^A-Za-z]+', '-', 'g')) || ':' || ['us-east-1', 'us-west-2', 'eu-central-1', 'eu-west-1', 'ap-southeast-2'][g + 1]
    || ':' || format('{:012d}', 210000000000 + account * 7919331) || ':resource/' || left(md5('r' || p.no), 17) AS resource_id,
  sku, price / 1000000.0 AS unit_price,
  c = 0 AND s.unit = 'Hours' AS committed,
  CASE WHEN tagged = 0 THEN NULL ELSE
    '{"environment": "' || ['prod', 'stage', 'dev'][e + 1] || '", "team": "team-' || ((account + t * 7) % 24)
    || '", "project": "project-' || ((account + t * 7) % 24) || '-' || p.p || '", "cost-center": "' || (4000 + (account + t * 7) % 24) || '"'
    || CASE WHEN named = 0 THEN ', "Name": "' || lower(left(s.name, 3)) || '-' || left(md5('n' || p.no), 8) || '"' ELSE '' END || '}' END AS tags
FROM placed p JOIN service s ON p.w >= s.low AND p.w < s.high
-- An account uses about a third of the services, and always the large ones.
WHERE s.weight >= 500 OR pick(3, account, s.no, 'uses') = 0;
CREATE TABLE numbered AS SELECT row_number() OVER (ORDER BY no) - 1 AS place, * EXCLUDE (no) FROM resource;
"""

BILL = """
CREATE VIEW bill AS
WITH row_of AS (
  SELECT i, i * {hours} // {rows} AS h, i - (i * {hours} // {rows}) * {rows} // {hours} AS j FROM range({rows}) AS t(i)
), drawn AS (
  SELECT i, h,
    -- A resource is charged for four things in an hour.
    j % 4 AS part, pick((SELECT count(*) FROM numbered), j // 4, h // 72, 'resource') AS place,
    pick(1000, i, 0, 'category') AS c, pick(100000, i, 1, 'amount') AS q, pick(1000, i, 2, 'fraction') AS f
  FROM row_of
), priced AS (
  SELECT d.i, d.h, n.*,
    upper(left(md5('sku' || service_no || '/' || (sku + part) % 40), 16)) AS sku_id,
    CASE WHEN service = 'Amazon Bedrock'
      THEN ['USE1-input-tokens', 'USE1-output-tokens', 'USE1-cache-read-tokens', 'USE1-cache-write-5m-tokens'][part + 1]
      ELSE service || ' meter ' || (sku + part) % 40 END AS meter,
    CASE WHEN service = 'Amazon Bedrock' THEN 'acme.model-' || (sku // 4) END AS model,
    CASE WHEN c < 960 THEN 'Usage' WHEN c < 970 THEN 'Purchase' WHEN c < 980 THEN 'Tax' WHEN c < 995 THEN 'Credit' ELSE 'Adjustment' END AS category,
    -- Most charges of an hour are small.
    (CASE WHEN q % 10 = 0 THEN q ELSE q % 97 END + f / 1000.0)::DECIMAL(15,3) AS quantity
  FROM drawn d JOIN numbered n ON n.place = d.place
), costed AS (
  SELECT *, (quantity * unit_price::DECIMAL(10,6) * CASE WHEN category IN ('Credit') THEN -1 ELSE 1 END)::DECIMAL(18,10) AS list_cost FROM priced
)
SELECT
  CASE WHEN service_no % 3 = 0 THEN region || 'a' END AS AvailabilityZone,
  CASE WHEN committed AND category = 'Usage' THEN 0 ELSE list_cost END::{money} AS BilledCost,
  '999000111222' AS BillingAccountId,
  'Example Holding' AS BillingAccountName,
  'USD' AS BillingCurrency,
  (CASE WHEN h < 720 THEN TIMESTAMP '2026-10-01' ELSE TIMESTAMP '2026-11-01' END) AS BillingPeriodEnd,
  (CASE WHEN h < 720 THEN TIMESTAMP '2026-09-01' ELSE TIMESTAMP '2026-10-01' END) AS BillingPeriodStart,
  category AS ChargeCategory,
  CASE WHEN category = 'Adjustment' THEN 'Correction' END AS ChargeClass,
  '$' || unit_price || ' per ' || unit || ' of ' || service || ' in ' || region_name AS ChargeDescription,
  CASE WHEN category = 'Purchase' THEN 'Recurring' ELSE 'Usage-Based' END AS ChargeFrequency,
  TIMESTAMP '2026-09-01' + to_hours(h::INTEGER + 1) AS ChargePeriodEnd,
  TIMESTAMP '2026-09-01' + to_hours(h::INTEGER) AS ChargePeriodStart,
  CASE WHEN committed AND category = 'Usage' THEN 'Spend' END AS CommitmentDiscountCategory,
  CASE WHEN committed AND category = 'Usage' THEN 'arn:aws:savingsplans::999000111222:savingsplan/' || md5('sp' || account) END AS CommitmentDiscountId,
  CASE WHEN committed AND category = 'Usage' THEN 'Used' END AS CommitmentDiscountStatus,
  CASE WHEN committed AND category = 'Usage' THEN 'Compute Savings Plans' END AS CommitmentDiscountType,
  CASE WHEN category = 'Usage' THEN quantity END AS ConsumedQuantity,
  CASE WHEN category = 'Usage' THEN unit END AS ConsumedUnit,
  list_cost::{money} AS ContractedCost,
  unit_price::{money} AS ContractedUnitPrice,
  CASE WHEN committed AND category = 'Usage' THEN (list_cost * 0.72)::DECIMAL(18,10) ELSE list_cost END::{money} AS EffectiveCost,
  'Amazon Web Services, Inc.' AS InvoiceIssuerName,
  list_cost::{money} AS ListCost,
  unit_price::{money} AS ListUnitPrice,
  CASE WHEN committed THEN 'Committed' ELSE 'Standard' END AS PricingCategory,
  quantity AS PricingQuantity,
  unit AS PricingUnit,
  'AWS' AS ProviderName,
  'Amazon Web Services, Inc.' AS PublisherName,
  region AS RegionId,
  region_name AS RegionName,
  resource_id AS ResourceId,
  NULL::VARCHAR AS ResourceName,
  NULL::VARCHAR AS ResourceType,
  kind AS ServiceCategory,
  service AS ServiceName,
  sku_id AS SkuId,
  meter AS SkuMeter,
  sku_id || '.JRTCKXETXF' AS SkuPriceId,
  sub_account AS SubAccountId,
  sub_account_name AS SubAccountName,
  tags AS Tags,
  model AS x_Model
FROM costed
ORDER BY h, hash(i, 'order');
"""


def main():
    if len(sys.argv) != 3 or not sys.argv[1].isdigit():
        sys.exit(__doc__)
    rows, out = int(sys.argv[1]), sys.argv[2]
    connection = duckdb.connect()
    connection.execute(f"SET memory_limit = '6GB'; SET temp_directory = '{out}.tmp'")
    for part in (MACROS, services(), RESOURCES):
        connection.execute(part)
    connection.execute(BILL.format(rows=rows, hours=HOURS, money="DECIMAL(18,10)"))
    connection.execute(f"COPY bill TO '{out}.parquet' (FORMAT parquet, COMPRESSION snappy)")
    stored = f"read_parquet('{out}.parquet')"
    connection.execute(f"COPY (FROM {stored}) TO '{out}.csv' (HEADER, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%SZ')")
    money = ["BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "ListUnitPrice", "ContractedUnitPrice", "ConsumedQuantity", "PricingQuantity"]
    doubles = ", ".join(f"{name}::DOUBLE AS {name}" for name in money)
    connection.execute(f"COPY (SELECT * REPLACE ({doubles}) FROM {stored}) TO '{out}-double.parquet' (FORMAT parquet, COMPRESSION snappy)")
    tags = "CASE WHEN Tags IS NOT NULL THEN CAST(Tags::JSON AS MAP(VARCHAR, VARCHAR)) END AS Tags"
    connection.execute(f"COPY (SELECT * REPLACE ({doubles}, {tags}) FROM {stored}) TO '{out}-map.parquet' (FORMAT parquet, COMPRESSION zstd)")
    tag = lambda key: f"json_extract_string(Tags, '$.{key}')"
    dimensions = f"ServiceName, SubAccountId, ChargeCategory, {tag('team')}, {tag('project')}, x_Model"
    for line in connection.execute(f"""
      SELECT 'rows ' || count(*), 'billed ' || sum(BilledCost), 'effective ' || sum(EffectiveCost),
        'resources ' || count(DISTINCT ResourceId), 'services ' || count(DISTINCT ServiceName),
        'combinations of dimensions ' || count(DISTINCT ({dimensions})), 'of these and hours ' || count(DISTINCT (ChargePeriodStart, {dimensions})), 'tags ' || count(DISTINCT Tags)
      FROM {stored}""").fetchone():
        print(line)


main()
