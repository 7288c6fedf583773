"""The answers of orders v2, from BigCommerce's published reference. A field is required here when
the reference describes it, since a live store sends them all."""

from typing import Any

from tests.schemas.shapes import many, one_of, shape

PERSON = (
    "first_name last_name company street_1 street_2 city state zip country country_iso2 phone email"
)
COSTS = (
    "base_cost cost_ex_tax cost_inc_tax cost_tax "
    "base_handling_cost handling_cost_ex_tax handling_cost_inc_tax handling_cost_tax"
)

Stub = shape("Stub", text="url resource")
FormField = shape("FormField", text="name value")
Contact = shape("Contact", text=PERSON)
Billing = shape("Billing", Contact, form_fields=many(FormField))

Order = shape(
    "Order",
    integer="id status_id channel_id currency_id default_currency_id shipping_cost_tax_class_id "
    "handling_cost_tax_class_id wrapping_cost_tax_class_id",
    number="customer_id items_total items_shipped shipping_address_count",
    boolean="is_deleted is_email_opt_in is_tax_inclusive_pricing order_is_digital",
    text_or_null="external_id external_merchant_id external_source",
    text="date_created date_modified date_shipped status cart_id subtotal_ex_tax subtotal_inc_tax "
    "subtotal_tax base_shipping_cost shipping_cost_ex_tax shipping_cost_inc_tax shipping_cost_tax "
    "base_handling_cost handling_cost_ex_tax handling_cost_inc_tax handling_cost_tax "
    "base_wrapping_cost wrapping_cost_ex_tax wrapping_cost_inc_tax wrapping_cost_tax total_ex_tax "
    "total_inc_tax total_tax payment_method payment_provider_id refunded_amount "
    "store_credit_amount gift_certificate_amount ip_address ip_address_v6 geoip_country "
    "geoip_country_iso2 currency_code currency_exchange_rate default_currency_code staff_notes "
    "customer_message discount_amount coupon_discount ebay_order_id order_source tax_provider_id "
    "customer_locale external_order_id store_default_currency_code "
    "store_default_to_transactional_exchange_rate",
    payment_status=one_of(
        *("authorized", "captured", "capture pending", "declined", "held for review", "paid"),
        *("partially refunded", "pending", "refunded", "void", "void pending", ""),
    ),
    billing_address=Billing,
    consignments=Stub,
    products=Stub,
    shipping_addresses=Stub,
    coupons=Stub,
    fees=Stub,
)

Discount = shape(
    "Discount", text="id amount name", text_or_null="code", target=one_of("order", "product")
)
Option = shape(
    "Option",
    integer="id option_id order_product_id product_option_id",
    text="display_name display_value value type name display_style display_name_customer "
    "display_name_merchant display_value_customer display_value_merchant",
)
Line = shape(
    "Line",
    integer="id order_id product_id variant_id order_pickup_method_id order_address_id quantity "
    "wrapping_id",
    integer_or_null="option_set_id parent_order_product_id gift_certificate_id",
    number="quantity_refunded quantity_shipped return_id",
    boolean="is_refunded is_bundled_product",
    text_or_null="wrapping_name event_name event_date external_id",
    text="name name_customer name_merchant sku upc base_price price_ex_tax price_inc_tax price_tax "
    "base_total total_ex_tax total_inc_tax total_tax base_cost_price cost_price_inc_tax "
    "cost_price_ex_tax cost_price_tax weight width height depth refund_amount base_wrapping_cost "
    "wrapping_cost_ex_tax wrapping_cost_inc_tax wrapping_cost_tax wrapping_message "
    "fixed_shipping_cost ebay_item_id ebay_transaction_id bin_picking_number brand "
    "discounted_total_inc_tax",
    type=one_of("physical", "digital", "giftcertificate"),
    applied_discounts=many(Discount),
    product_options=many(Option),
    configurable_fields=many(FormField),
)

ADDRESS: dict[str, Any] = {
    "integer": "id cost_tax_class_id handling_cost_tax_class_id",
    "form_fields": many(FormField),
    "shipping_quotes": Stub,
}
Address = shape(
    "Address",
    **{**ADDRESS, "integer": f"{ADDRESS['integer']} order_id"},
    number="items_total items_shipped shipping_zone_id",
    text=f"{PERSON} {COSTS} shipping_method shipping_zone_name",
)
Coupon = shape(
    "Coupon",
    integer="id coupon_id order_id type",
    text_or_null="code",
    amount=str | float,
    number="discount",
)
Fee = shape(
    "Fee",
    integer="id",
    integer_or_null="tax_class_id",
    text="display_name_customer display_name_merchant source",
    type=one_of("custom_fee"),
    base_cost=str | float,
    cost_ex_tax=str | float,
    cost_inc_tax=str | float,
    cost_tax=str | float,
)
Tax = shape(
    "Tax",
    integer="id order_id order_address_id tax_rate_id",
    integer_or_null="tax_class_id",
    number="priority order_pickup_method_id",
    text="sales_tax_id name class rate priority_amount line_amount",
)
DetailedTax = shape(
    "DetailedTax",
    Tax,
    text_or_null="order_product_id",
    line_item_type=one_of("item", "shipping", "handling", "gift-wrapping"),
)
ShippedItem = shape("ShippedItem", integer="order_product_id product_id quantity")
Shipment = shape(
    "Shipment",
    integer="id order_id customer_id order_address_id",
    text="date_created tracking_number merchant_shipping_cost shipping_method shipping_provider "
    "tracking_carrier tracking_link comments shipping_provider_display_name "
    "generated_tracking_link",
    billing_address=Contact,
    shipping_address=Contact,
    items=many(ShippedItem),
)
Message = shape(
    "Message",
    integer="id order_id staff_id customer_id",
    text="type subject message status date_created",
    boolean="is_flagged",
    customer=dict[str, Any],
)

Location = shape(
    "Location",
    integer="id",
    text="name code address_line_1 address_line_2 city state postal_code country_alpha2 email "
    "phone",
)


def consignments(line: Any) -> Any:
    """The object form of consignments, whose lines are stubs or whole."""
    pickup = shape(
        "Pickup",
        integer="id pickup_method_id",
        text="pickup_method_display_name collection_instructions collection_time_description",
        location=Location,
        line_items=many(line),
    )
    shipping = shape(
        "Shipping",
        **ADDRESS,
        number=f"items_total items_shipped shipping_zone_id {COSTS}",
        text=f"{PERSON} shipping_method shipping_zone_name",
        line_items=many(line),
    )
    sent = shape("Sent", text="recipient_email", line_items=many(line))
    return shape(
        "Consignments",
        pickups=many(pickup),
        shipping=many(shipping),
        downloads=many(sent),
        email=shape("Email", gift_certificates=many(sent)),
    )


FullOrder = shape("FullOrder", Order, consignments=consignments(Line), fees=many(Fee))
StubbedOrder = shape("StubbedOrder", Order, consignments=consignments(Stub))

Status = shape(
    "Status",
    integer="id",
    text="name system_label custom_label system_description",
)
OrderedStatus = shape("OrderedStatus", Status, integer="order")
Count = shape(
    "Count",
    number="count",
    statuses=many(shape("CountedStatus", Status, integer="count sort_order")),
)
Error = shape("Error", integer="status", text="message", details=dict[str, Any], optional="details")
