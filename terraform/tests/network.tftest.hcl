# modules/network: gateway endpoints always, interface endpoints when asked, with the break-even.

mock_provider "aws" {}

variables {
  namespace       = "huntaze"
  region          = "us-east-1"
  vpc_id          = "vpc-0123456789abcdef0"
  route_table_ids = ["rtb-0123456789abcdef0", "rtb-0123456789abcdef1"]
}

run "gateways_only" {
  command = plan

  module {
    source = "./modules/network"
  }

  assert {
    condition     = toset([for endpoint in aws_vpc_endpoint.gateway : endpoint.service_name]) == toset(["com.amazonaws.us-east-1.s3", "com.amazonaws.us-east-1.dynamodb"])
    error_message = "S3 and DynamoDB"
  }

  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.gateway : endpoint.route_table_ids == toset(var.route_table_ids)])
    error_message = "on every route table given"
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0 && length(aws_security_group.endpoints) == 0 && output.endpoint_security_group_id == null
    error_message = "what costs money is asked for"
  }
}

run "break_even" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    interface_endpoints       = ["secretsmanager", "ecr.dkr", "sts"]
    subnet_ids                = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
    client_security_group_ids = { web = "sg-0123456789abcdef0" }
    nat_gb_per_month          = { secretsmanager = 1, "ecr.dkr" = 1000 }
  }

  # 2 zones x 730 h x 0.01 USD = 14.60 USD; 14.60 / (0.045 - 0.01) = 417.1 GB.
  assert {
    condition     = floor(output.break_even.endpoint_usd_per_month * 100 + 0.5) == 1460 && floor(output.break_even.gb_per_month * 10 + 0.5) == 4171
    error_message = "the break-even is computed from zones and prices"
  }

  assert {
    condition     = output.break_even.services["ecr.dkr"].pays_off == true && output.break_even.services["secretsmanager"].pays_off == false && output.break_even.services["sts"].pays_off == null
    error_message = "pays off, does not, not measured"
  }

  # 1000 GB x 0.035 USD - 14.60 USD = 20.40 USD.
  assert {
    condition     = floor(output.break_even.services["ecr.dkr"].saving_usd_per_month * 100 + 0.5) == 2040
    error_message = "the saving is told"
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 3 && length(aws_vpc_security_group_ingress_rule.clients) == 1
    error_message = "three endpoints, one client"
  }
}

run "refuses_bad_values" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    namespace                 = "Huntaze"
    region                    = "Virginia"
    tags                      = { "aws:team" = "search" }
    vpc_id                    = "main"
    route_table_ids           = []
    interface_endpoints       = ["s3"]
    client_security_group_ids = { web = "default" }
    nat_gb_per_month          = { sts = -1 }
    prices                    = { nat_gb = 0.005 }
  }

  expect_failures = [
    var.namespace, var.region, var.tags, var.vpc_id, var.route_table_ids, var.interface_endpoints, var.client_security_group_ids,
    var.nat_gb_per_month, var.prices,
  ]
}

run "refuses_bad_subnets" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    subnet_ids = ["a"]
  }

  expect_failures = [var.subnet_ids]
}

run "refuses_endpoints_without_subnets" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    interface_endpoints = ["sts"]
  }

  expect_failures = [var.subnet_ids]
}
