output "gateway_endpoint_ids" {
  description = "Ids of the gateway endpoints by service."
  value       = { for service, endpoint in aws_vpc_endpoint.gateway : service => endpoint.id }
}

output "interface_endpoint_ids" {
  description = "Ids of the interface endpoints by service."
  value       = { for service, endpoint in aws_vpc_endpoint.interface : service => endpoint.id }
}

output "endpoint_security_group_id" {
  description = "Security group of the interface endpoints; null without any."
  value       = one(aws_security_group.endpoints[*].id)
}

output "break_even" {
  description = "For one interface endpoint: what it costs a month, the traffic from which it is cheaper than NAT, and for each service asked for or measured its traffic, the saving (negative: a loss) and whether it pays off (null: not measured)."
  value = {
    endpoint_usd_per_month = local.month_usd
    gb_per_month           = local.break_even_gb
    services = {
      for service in local.asked_or_known : service => {
        measured_gb_per_month = try(var.nat_gb_per_month[service], null)
        saving_usd_per_month  = try(var.nat_gb_per_month[service] * (var.prices.nat_gb - var.prices.endpoint_gb) - local.month_usd, null)
        pays_off              = try(var.nat_gb_per_month[service] > local.break_even_gb, null)
      }
    }
  }
}
