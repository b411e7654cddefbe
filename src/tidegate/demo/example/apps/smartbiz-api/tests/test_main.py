import main
import pytest
from fastapi.testclient import TestClient


@pytest.fixture
def client(tmp_path, monkeypatch):
    monkeypatch.setattr(main, "DATABASE", tmp_path / "smartbiz.db")
    return TestClient(main.app)


def test_health(client):
    assert client.get("/health").json() == {"status": "ok"}


def test_version_has_the_word(client):
    assert client.get("/api/version").json() == {"version": main.VERSION, "word": main.WORD}


def test_an_order_needs_its_customer_and_article(client):
    order = {"customer_id": 1, "article_id": 1, "quantity": 2}
    assert client.post("/api/orders", json=order).status_code == 409
    client.post("/api/customers", json={"name": "Ada", "email": "ada@example.com"})
    client.post("/api/articles", json={"name": "Lamp", "price_cents": 1999})
    assert client.post("/api/orders", json=order).json() == {"id": 1}
    assert client.get("/api/orders").json() == [{"id": 1, **order}]


def test_metrics(client):
    assert "smartbiz_orders_placed" in client.get("/metrics").text
