"""Products, shipping addresses, coupons and consignments of an order, generated from its seed."""

from sandbox.store.orders import (
    SHIPPING_CENTS,
    TAX_PERCENT,
    Fields,
    Line,
    Placed,
    basket,
    draw,
    money,
)
from sandbox.store.people import address

NAMES = ("products", "shipping_addresses", "coupons")
LINES_PER_CONSIGNMENT = 50
WARNING = (
    "Not all line items of this consignment are in this response, only 50 of them. "
    "The `/v2/orders/{order_id}/products` endpoint has them all."
)
ADJECTIVES = ("Blue", "Größe-M", "Hand-made", "Très chic", 'Ø 12"', "木製")
NOUNS = ("Towel", "Teapot / Set", "Lamp", "Notebook", "Poster")


def generate(name: str, seed: int, placed: Placed) -> list[Fields]:
    """The complete list of the named sub-resource."""
    makers = {"products": products, "shipping_addresses": shipping_addresses, "coupons": coupons}
    return makers[name](seed, placed)


def products(seed: int, placed: Placed) -> list[Fields]:
    return [_product(placed, n, line) for n, line in enumerate(basket(seed, placed))]


LINE: Fields = {
    "id": 0,
    "order_id": 0,
    "product_id": 0,
    "order_address_id": 0,
    "name": "",
    "name_customer": "",
    "name_merchant": "",
    "sku": "",
    "upc": "",
    "type": "physical",
    "base_price": "0.0000",
    "price_ex_tax": "0.0000",
    "price_inc_tax": "0.0000",
    "price_tax": "0.0000",
    "base_total": "0.0000",
    "total_ex_tax": "0.0000",
    "total_inc_tax": "0.0000",
    "total_tax": "0.0000",
    "weight": "1.0000",
    "width": "1.0000",
    "height": "1.0000",
    "depth": "1.0000",
    "quantity": 1,
    "base_cost_price": "0.0000",
    "cost_price_inc_tax": "0.0000",
    "cost_price_ex_tax": "0.0000",
    "cost_price_tax": "0.0000",
    "is_refunded": False,
    "quantity_refunded": 0,
    "refund_amount": "0.0000",
    "return_id": 0,
    "wrapping_id": 0,
    "wrapping_name": "",
    "base_wrapping_cost": "0.0000",
    "wrapping_cost_ex_tax": "0.0000",
    "wrapping_cost_inc_tax": "0.0000",
    "wrapping_cost_tax": "0.0000",
    "wrapping_message": "",
    "quantity_shipped": 0,
    "event_name": None,
    "event_date": None,
    "fixed_shipping_cost": "0.0000",
    "ebay_item_id": "",
    "ebay_transaction_id": "",
    "option_set_id": None,
    "parent_order_product_id": None,
    "is_bundled_product": False,
    "bin_picking_number": "",
    "external_id": None,
    "brand": "Example & Co",
    "applied_discounts": [],
    "product_options": [],
    "configurable_fields": [],
    "gift_certificate_id": None,
    "discounted_total_inc_tax": "0.0000",
}


def _product(placed: Placed, index: int, line: Line) -> Fields:
    line_id = placed.id * 10_000 + index
    title = f"{ADJECTIVES[line.product % 6]} {NOUNS[line.product % 5]}"
    physical = line.type == "physical"
    return {
        **LINE,
        "id": line_id,
        "order_id": placed.id,
        "product_id": 0 if line.product % 40 == 0 else line.product,
        "order_address_id": _address_id(placed, index % placed.addresses)
        if physical and placed.addresses
        else 0,
        "name": title,
        "name_customer": title,
        "name_merchant": title,
        "sku": f"SKU/{line.product}" if line.product % 9 else "",
        "type": line.type,
        **_prices(line),
        "quantity": line.quantity,
        "weight": "1.2500" if physical else "0.0000",
        "applied_discounts": [_discount(placed)] if placed.coupons and index == 0 else [],
        "product_options": [_option(line_id, line.product)] if line.product % 3 == 0 else [],
        "gift_certificate_id": line.product if line.type == "giftcertificate" else None,
    }


def _prices(line: Line) -> Fields:
    price, with_tax = money(line.price), money(line.price + line.tax)
    total = money(line.price * line.quantity)
    total_inc_tax = money((line.price + line.tax) * line.quantity)
    return {
        "base_price": price,
        "price_ex_tax": price,
        "price_inc_tax": with_tax,
        "price_tax": money(line.tax),
        "base_total": total,
        "total_ex_tax": total,
        "total_inc_tax": total_inc_tax,
        "total_tax": money(line.tax * line.quantity),
        "discounted_total_inc_tax": total_inc_tax,
    }


def _discount(placed: Placed) -> Fields:
    return {
        "id": "coupon",
        "amount": money(500 * placed.coupons),
        "name": "Coupon",
        "code": f"SAVE{placed.id}-0",
        "target": "order",
    }


def _option(line_id: int, product: int) -> Fields:
    return {
        "id": line_id * 10,
        "option_id": 4,
        "order_product_id": line_id,
        "product_option_id": product + 1000,
        "display_name": "Size",
        "display_name_customer": "Size",
        "display_name_merchant": "Size",
        "display_value": "S/M",
        "display_value_customer": "S/M",
        "display_value_merchant": "S/M",
        "value": "12",
        "type": "Multiple choice",
        "name": "Sizes",
        "display_style": "",
    }


def _address_id(placed: Placed, index: int) -> int:
    return placed.id * 10_000 + 5000 + index


def shipping_addresses(seed: int, placed: Placed) -> list[Fields]:
    lines = basket(seed, placed)
    first = int(draw(seed, placed.id, 2).random() * 900)
    return [_shipping_address(placed, n, first + n, lines) for n in range(placed.addresses)]


def _shipping_address(placed: Placed, index: int, person: int, lines: list[Line]) -> Fields:
    mine = [line for n, line in enumerate(lines) if n % placed.addresses == index]
    tax = round(SHIPPING_CENTS * TAX_PERCENT / 100)
    address_id = _address_id(placed, index)
    return {
        "id": address_id,
        "order_id": placed.id,
        **address(person),
        "items_total": sum(line.quantity for line in mine if line.type == "physical"),
        "items_shipped": 0,
        "shipping_method": "Flat Rate",
        "base_cost": money(SHIPPING_CENTS),
        "cost_ex_tax": money(SHIPPING_CENTS),
        "cost_inc_tax": money(SHIPPING_CENTS + tax),
        "cost_tax": money(tax),
        "cost_tax_class_id": 2,
        "base_handling_cost": "0.0000",
        "handling_cost_ex_tax": "0.0000",
        "handling_cost_inc_tax": "0.0000",
        "handling_cost_tax": "0.0000",
        "handling_cost_tax_class_id": 2,
        "shipping_zone_id": 1,
        "shipping_zone_name": "Everywhere",
        "shipping_quotes": {
            "resource": f"/orders/{placed.id}/shippingaddresses/{address_id}/shippingquotes"
        },
        "form_fields": [],
    }


def coupons(seed: int, placed: Placed) -> list[Fields]:
    """Amounts are an integer, a fraction or a text: live stores return all three."""
    amounts: tuple[object, ...] = (5, 5.0, "5.0000")
    return [
        {
            "id": placed.id * 10_000 + 9000 + n,
            "coupon_id": n + 1,
            "order_id": placed.id,
            "code": f"SAVE{placed.id}-{n}",
            "amount": amounts[(placed.id + n) % 3],
            "type": 2,
            "discount": amounts[(placed.id + n) % 3],
        }
        for n in range(placed.coupons)
    ]


def consignments(lines: list[Fields], addresses: list[Fields]) -> Fields:
    """What `include=consignments.line_items&consignment_structure=object` embeds."""
    by_type: dict[str, list[Fields]] = {"digital": [], "giftcertificate": []}
    for line in lines:
        by_type.setdefault(line["type"], []).append(line)
    shipping = [
        {**_consignment(_lines_to(by_type.get("physical", []), to["id"])), "id": to["id"]}
        for to in addresses
    ]
    downloads = [_consignment(by_type["digital"])] if by_type["digital"] else []
    gifts = [_consignment(by_type["giftcertificate"])] if by_type["giftcertificate"] else []
    return {
        "pickups": [],
        "shipping": shipping,
        "downloads": downloads,
        "email": {"gift_certificates": gifts},
    }


def _lines_to(lines: list[Fields], address_id: int) -> list[Fields]:
    return [line for line in lines if line["order_address_id"] == address_id]


def _consignment(lines: list[Fields]) -> Fields:
    shown = [{key: line[key] for key in ("id", "product_id", "name", "sku")} for line in lines]
    for item, line in zip(shown, lines, strict=True):
        item.update(quantity=line["quantity"], base_price=float(line["base_price"]))
    cut: Fields = {"__warning__": {"message": WARNING}} if len(lines) > 50 else {}
    return {"line_items": shown[:LINES_PER_CONSIGNMENT], **cut}
