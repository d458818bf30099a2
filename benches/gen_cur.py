#!/usr/bin/env python3
"""Writes the bill of gen_focus.py as a Cost and Usage Report 2.0 of AWS: the same rows with AWS's columns, maps as Data Exports has them.

    gen_cur.py BILL [.csv] [.parquet]        reads BILL.parquet, writes BILL-cur.parquet (snappy) and BILL-cur.csv (maps as JSON)

Needs DuckDB (`pip install duckdb`). Costs are doubles, as AWS documents them. What a commitment covers is `SavingsPlanCoveredUsage` with an effective cost of its own.
"""
import sys

import duckdb

ROWS = """
SELECT
  'Anniversary' AS bill_bill_type,
  'AWS' AS bill_billing_entity,
  BillingPeriodEnd AS bill_billing_period_end_date,
  BillingPeriodStart AS bill_billing_period_start_date,
  NULL::VARCHAR AS bill_invoice_id,
  BillingAccountId AS bill_payer_account_id,
  MAP {}::MAP(VARCHAR, VARCHAR) AS cost_category,
  MAP {}::MAP(VARCHAR, DOUBLE) AS discount,
  md5(SkuId || ResourceId || ChargePeriodStart) AS identity_line_item_id,
  strftime(ChargePeriodStart, '%Y-%m-%dT%H:%M:%SZ') || '/' || strftime(ChargePeriodEnd, '%Y-%m-%dT%H:%M:%SZ') AS identity_time_interval,
  BillingCurrency AS line_item_currency_code,
  ChargeDescription AS line_item_line_item_description,
  CASE WHEN CommitmentDiscountId IS NOT NULL THEN 'SavingsPlanCoveredUsage' WHEN ChargeCategory = 'Purchase' THEN 'Fee'
    WHEN ChargeCategory = 'Adjustment' THEN 'Refund' ELSE ChargeCategory END AS line_item_line_item_type,
  'RunIt' AS line_item_operation,
  replace(ServiceName, ' ', '') AS line_item_product_code,
  ResourceId AS line_item_resource_id,
  ListCost::DOUBLE AS line_item_unblended_cost,
  ListUnitPrice::VARCHAR AS line_item_unblended_rate,
  SubAccountId AS line_item_usage_account_id,
  SubAccountName AS line_item_usage_account_name,
  PricingQuantity::DOUBLE AS line_item_usage_amount,
  ChargePeriodEnd AS line_item_usage_end_date,
  ChargePeriodStart AS line_item_usage_start_date,
  SkuMeter AS line_item_usage_type,
  PricingUnit AS pricing_unit,
  MAP {'product_name': ServiceName, 'region': RegionId} AS product,
  '' AS reservation_reservation_a_r_n,
  0.0::DOUBLE AS reservation_effective_cost,
  CASE WHEN Tags IS NULL THEN MAP {}::MAP(VARCHAR, VARCHAR) ELSE CAST(Tags::JSON AS MAP(VARCHAR, VARCHAR)) END AS resource_tags,
  CommitmentDiscountId AS savings_plan_savings_plan_a_r_n,
  CASE WHEN CommitmentDiscountId IS NOT NULL THEN EffectiveCost::DOUBLE ELSE 0.0 END AS savings_plan_savings_plan_effective_cost
FROM read_parquet('{bill}.parquet')
"""


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    bill, endings = sys.argv[1], sys.argv[2:] or [".parquet", ".csv"]
    connection = duckdb.connect()
    connection.execute(f"SET memory_limit = '6GB'; SET temp_directory = '{bill}.tmp'")
    rows = ROWS.replace("{bill}", bill)
    if ".parquet" in endings:
        connection.execute(f"COPY ({rows}) TO '{bill}-cur.parquet' (FORMAT parquet, COMPRESSION snappy)")
    if ".csv" in endings:
        maps = ", ".join(f"to_json({name})::VARCHAR AS {name}" for name in ("product", "resource_tags", "cost_category", "discount"))
        connection.execute(f"COPY (SELECT * REPLACE ({maps}) FROM ({rows})) TO '{bill}-cur.csv' (HEADER, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%SZ')")


main()
