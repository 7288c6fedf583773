"""Lines, shipping addresses, coupons and fees of an order, generated from its seed."""

from decimal import Decimal

from sandbox.store.money import money
from sandbox.store.orders import (
    COUPON_TYPES,
    FEE_CENTS,
    FEE_TAX_CENTS,
    Line,
    Placed,
    basket,
    coupon_cents,
    draw,
    shipping,
)
from sandbox.store.people import address
from sandbox.store.templates import LINE, Fields

NAMES = ("products", "shipping_addresses", "coupons")
GENERATED = (*NAMES, "fees")
ADJECTIVES = ("Blue", "Größe-M", "Hand-made", "Très chic", 'Ø 12"', "木製")
NOUNS = ("Towel", "Teapot / Set", "Lamp", "Notebook", "Poster")


def generate(name: str, seed: int, placed: Placed) -> list[Fields]:
    """The complete list of the named sub-resource."""
    makers = {
        "products": products,
        "shipping_addresses": shipping_addresses,
        "coupons": coupons,
        "fees": fees,
    }
    return makers[name](seed, placed)


def products(seed: int, placed: Placed) -> list[Fields]:
    return [_product(placed, n, line) for n, line in enumerate(basket(seed, placed))]


def _product(placed: Placed, index: int, line: Line) -> Fields:
    line_id = placed.id * 10_000 + index
    title = f"{ADJECTIVES[line.product % 6]} {NOUNS[line.product % 5]}"
    physical = line.type == "physical"
    is_custom = line.product % 40 == 0
    return {
        **LINE,
        "id": line_id,
        "order_id": placed.id,
        "product_id": 0 if is_custom else line.product,
        "variant_id": 0 if is_custom else line.product + 300,
        "order_pickup_method_id": pickup_id(placed.id) if line.is_collected else 0,
        "order_address_id": _address_of(placed, index, line),
        "name": title,
        "name_customer": title,
        "name_merchant": title,
        "sku": f"SKU/{line.product}" if line.product % 9 else "",
        "type": line.type,
        **prices(line.price, line.tax, line.quantity, is_tax_inclusive=placed.is_tax_inclusive),
        "quantity": line.quantity,
        "weight": "1.2500" if physical else "0.0000",
        "applied_discounts": _discounts(placed) if index == 0 else [],
        "product_options": [_option(line_id, line.product)] if line.product % 3 == 0 else [],
        "gift_certificate_id": line.product if line.type == "giftcertificate" else None,
    }


def _address_of(placed: Placed, index: int, line: Line) -> int:
    if line.type != "physical" or line.is_collected or not placed.addresses:
        return 0
    return _address_id(placed, index % placed.addresses)


def prices(
    price: int | Decimal, tax: int | Decimal, quantity: int, *, is_tax_inclusive: bool = False
) -> Fields:
    """The amounts of a line; `price` without tax and `tax` in cents per piece."""
    total, total_tax = price * quantity, tax * quantity
    base = price + tax if is_tax_inclusive else price
    return {
        "base_price": money(base),
        "price_ex_tax": money(price),
        "price_inc_tax": money(price + tax),
        "price_tax": money(tax),
        "base_total": money(base * quantity),
        "total_ex_tax": money(total),
        "total_inc_tax": money(total + total_tax),
        "total_tax": money(total_tax),
        "discounted_total_inc_tax": money(total + total_tax),
    }


def _discounts(placed: Placed) -> list[Fields]:
    """Lines show no coupon for free shipping."""
    if placed.coupon_kind == "free_shipping":
        return []
    amount = money(coupon_cents(placed))
    target = "product" if placed.coupon_kind == "line" else "order"
    codes = [f"SAVE{placed.id}-{n}" for n in range(placed.coupons)]
    return [discount(code, amount, target) for code in codes]


def discount(code: str, amount: str, target: str = "order") -> Fields:
    """A coupon as the lines show it."""
    return {"id": "coupon", "amount": amount, "name": "Coupon", "code": code, "target": target}


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


def pickup_id(order_id: int) -> int:
    """The id of an order's pickup, to which its collected lines refer."""
    return order_id * 10_000 + 7000


def shipping_addresses(seed: int, placed: Placed) -> list[Fields]:
    lines = basket(seed, placed)
    first = int(draw(seed, placed.id, 2).random() * 900)
    return [_shipping_address(placed, n, first + n, lines) for n in range(placed.addresses)]


def _shipping_address(placed: Placed, index: int, person: int, lines: list[Line]) -> Fields:
    address_id, cost = _address_id(placed, index), shipping(placed)
    quantities = [
        line.quantity for n, line in enumerate(lines) if _address_of(placed, n, line) == address_id
    ]
    return {
        "id": address_id,
        "order_id": placed.id,
        **address(person),
        "items_total": sum(quantities),
        "items_shipped": 0,
        "shipping_method": "Flat Rate",
        "base_cost": money(cost.base),
        "cost_ex_tax": money(cost.ex_tax),
        "cost_inc_tax": money(cost.ex_tax + cost.tax),
        "cost_tax": money(cost.tax),
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
    cents, type_ = coupon_cents(placed), COUPON_TYPES[placed.coupon_kind]
    amounts: tuple[object, ...] = (cents // 100, cents / 100, money(cents))
    return [
        coupon(placed.id, n, f"SAVE{placed.id}-{n}", amounts[(placed.id + n) % 3], type_)
        for n in range(placed.coupons)
    ]


def coupon(
    order_id: int, index: int, code: str, amount: object, type_: int = COUPON_TYPES["total"]
) -> Fields:
    return {
        "id": order_id * 10_000 + 9000 + index,
        "coupon_id": index + 1,
        "order_id": order_id,
        "code": code,
        "amount": amount,
        "type": type_,
        "discount": amount,
    }


def fees(seed: int, placed: Placed) -> list[Fields]:
    inclusive = placed.is_tax_inclusive
    return [
        fee(placed.id, n, "Packaging", FEE_CENTS, FEE_TAX_CENTS, is_tax_inclusive=inclusive)
        for n in range(placed.fees)
    ]


def fee(
    order_id: int,
    index: int,
    name: str,
    ex_tax: int | Decimal,
    tax: int | Decimal,
    *,
    is_tax_inclusive: bool = False,
) -> Fields:
    """A fee of the order; amounts in cents."""
    return {
        "id": order_id * 10_000 + 8000 + index,
        "type": "custom_fee",
        "display_name_customer": name,
        "display_name_merchant": name,
        "source": "v2",
        "base_cost": money(ex_tax + tax if is_tax_inclusive else ex_tax),
        "cost_ex_tax": money(ex_tax),
        "cost_inc_tax": money(ex_tax + tax),
        "cost_tax": money(tax),
        "tax_class_id": None,
    }
