"""Where the bare project takes deliveries."""

from django.urls import path

from bench.bare.webhook import webhook

urlpatterns = [path("webhook/", webhook)]
