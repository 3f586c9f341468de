"""SQLAlchemy's ORM over PyMySQL, with the pool settings that its users take from one another."""

import os

import sqlalchemy
from sqlalchemy import ForeignKey, String, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

URL = sqlalchemy.URL.create("mysql+pymysql", os.environ["TG_USER"], "", os.environ["TG_HOST"], int(os.environ["TG_PORT"]),
                            os.environ["TG_SCHEMA"], query={"charset": "utf8mb4"})


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "sa_user"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    orders: Mapped[list["Order"]] = relationship(back_populates="user", cascade="all, delete-orphan")


class Order(Base):
    __tablename__ = "sa_order"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("sa_user.id"))
    total: Mapped[int]
    user: Mapped[User] = relationship(back_populates="orders")


engine = sqlalchemy.create_engine(URL, pool_size=25, max_overflow=50, pool_recycle=280, pool_pre_ping=True,
                                  isolation_level="READ COMMITTED")
Base.metadata.create_all(engine)

for number in range(int(os.environ["TG_REQUESTS"])):
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DO 'request'"))
    with Session(engine) as session:
        user = User(name=f"user {number}", orders=[Order(total=number), Order(total=7)])
        session.add(user)
        session.commit()
        session.refresh(user)
        total = session.scalar(select(func.sum(Order.total)).where(Order.user_id == user.id))
        assert total == number + 7
        session.rollback()
    with Session(engine) as session, session.begin():
        found = session.scalars(select(User).where(User.name == f"user {number}").with_for_update().limit(1)).one()
        found.name = "renamed"
        session.flush()
        with session.begin_nested():
            session.delete(found)
    with engine.connect() as connection:
        connection.execute(text("SELECT COUNT(*) FROM sa_user")).scalar()
