"""Owns the addresses of the shop's pages."""

from django.urls import path

from example_platform.shop import views

app_name = "shop"

urlpatterns = [
    path("", views.merchants, name="merchants"),
    path("sales/", views.sell, name="sell"),
]
