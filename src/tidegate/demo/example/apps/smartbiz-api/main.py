"""SmartBiz: articles, customers and orders of a small business."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import FastAPI, HTTPException, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest
from pydantic import BaseModel, Field

VERSION = os.environ.get("APP_VERSION", "dev")
WORD = "tide"
DATABASE = Path(os.environ.get("DATABASE", "smartbiz.db"))
SCHEMA = """
CREATE TABLE IF NOT EXISTS articles (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price_cents INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    article_id INTEGER NOT NULL REFERENCES articles (id),
    quantity INTEGER NOT NULL
);
"""

app = FastAPI(title="SmartBiz", version=VERSION)
orders_placed = Counter("smartbiz_orders_placed", "Orders placed since the start")


class Article(BaseModel):
    name: str = Field(min_length=1)
    price_cents: int = Field(ge=0)


class Customer(BaseModel):
    name: str = Field(min_length=1)
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")


class Order(BaseModel):
    customer_id: int
    article_id: int
    quantity: int = Field(gt=0)


@contextmanager
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(DATABASE)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    connection.executescript(SCHEMA)
    try:
        with connection:
            yield connection
    finally:
        connection.close()


def rows(query: str) -> list[dict]:
    with database() as connection:
        return [dict(row) for row in connection.execute(query)]


def insert(statement: str, values: tuple) -> int:
    try:
        with database() as connection:
            return connection.execute(statement, values).lastrowid
    except sqlite3.IntegrityError as error:
        raise HTTPException(409, str(error)) from error


@app.get("/health")
def health() -> dict:
    with database() as connection:
        connection.execute("SELECT 1")
    return {"status": "ok"}


@app.get("/api/version")
def version() -> dict:
    return {"version": VERSION, "word": WORD}


@app.get("/api/articles")
def list_articles() -> list[dict]:
    return rows("SELECT * FROM articles ORDER BY id")


@app.post("/api/articles", status_code=201)
def create_article(article: Article) -> dict:
    values = (article.name, article.price_cents)
    return {"id": insert("INSERT INTO articles (name, price_cents) VALUES (?, ?)", values)}


@app.get("/api/customers")
def list_customers() -> list[dict]:
    return rows("SELECT * FROM customers ORDER BY id")


@app.post("/api/customers", status_code=201)
def create_customer(customer: Customer) -> dict:
    return {"id": insert("INSERT INTO customers (name, email) VALUES (?, ?)", (customer.name, customer.email))}


@app.get("/api/orders")
def list_orders() -> list[dict]:
    return rows("SELECT * FROM orders ORDER BY id")


@app.post("/api/orders", status_code=201)
def place_order(order: Order) -> dict:
    values = (order.customer_id, order.article_id, order.quantity)
    placed = insert("INSERT INTO orders (customer_id, article_id, quantity) VALUES (?, ?, ?)", values)
    orders_placed.inc()
    return {"id": placed}


@app.get("/metrics")
def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
