"""Views that tell whose request it is, and what they find."""

from django.http import JsonResponse, StreamingHttpResponse
from django.urls import reverse

import connect
from django_stripe.charge.models import Charge


def whose(request):
    return JsonResponse(
        {
            "account": str(connect.current_account()),
            "charges": sorted(Charge.objects.values_list("stripe_id", flat=True)),
            "here": reverse("whose"),
        }
    )


async def whose_async(request):
    charges = [charge.stripe_id async for charge in Charge.objects.order_by("stripe_id")]
    return JsonResponse({"account": str(connect.current_account()), "charges": charges})


def streamed(request):
    rows = Charge.objects.order_by("stripe_id").values_list("stripe_id", flat=True)
    return StreamingHttpResponse(f"{row} " for row in rows)


async def streamed_async(request):
    async def content():
        async for charge in Charge.objects.order_by("stripe_id"):
            yield f"{charge.stripe_id} "

    return StreamingHttpResponse(content())
