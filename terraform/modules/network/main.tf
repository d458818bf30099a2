# Traffic to AWS that does not go through a NAT gateway.

locals {
  gateways = toset(["dynamodb", "s3"])

  # A month of 730 hours, as AWS bills it.
  zones          = max(1, length(var.subnet_ids))
  month_usd      = var.prices.endpoint_hour * 730 * local.zones
  break_even_gb  = local.month_usd / (var.prices.nat_gb - var.prices.endpoint_gb)
  asked_or_known = setunion(var.interface_endpoints, toset(keys(var.nat_gb_per_month)))
}

resource "aws_vpc_endpoint" "gateway" {
  for_each = local.gateways

  vpc_id            = var.vpc_id
  service_name      = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = var.route_table_ids
  tags              = merge(var.tags, { Name = "${var.namespace}-${each.key}" })
}

resource "aws_security_group" "endpoints" {
  count = length(var.interface_endpoints) > 0 ? 1 : 0

  name        = "${var.namespace}-endpoints"
  description = "AWS services inside the VPC: in by HTTPS from the listed groups"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = length(var.interface_endpoints) > 0 ? var.client_security_group_ids : {}

  security_group_id            = aws_security_group.endpoints[0].id
  description                  = "HTTPS from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  tags                         = var.tags
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.interface_endpoints

  vpc_id              = var.vpc_id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = var.subnet_ids
  security_group_ids  = [aws_security_group.endpoints[0].id]
  tags                = merge(var.tags, { Name = "${var.namespace}-${each.key}" })
}
