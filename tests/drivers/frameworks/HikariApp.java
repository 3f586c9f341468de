import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;

/** MariaDB Connector/J behind HikariCP, with the settings that HikariCP's wiki gives for MySQL. */
public class HikariApp {
    public static void main(String[] arguments) throws Exception {
        HikariConfig config = new HikariConfig();
        String host = System.getenv("TG_HOST") + ":" + System.getenv("TG_PORT");
        config.setJdbcUrl("jdbc:mariadb://" + host + "/" + System.getenv("TG_SCHEMA")
            + "?useServerPrepStmts=true&cachePrepStmts=true&prepStmtCacheSize=250&prepStmtCacheSqlLimit=2048");
        config.setUsername(System.getenv("TG_USER"));
        config.setMaximumPoolSize(1);
        config.setConnectionInitSql("SET NAMES utf8mb4");
        config.setTransactionIsolation("TRANSACTION_READ_COMMITTED");
        try (HikariDataSource pool = new HikariDataSource(config)) {
            try (Connection c = pool.getConnection(); Statement s = c.createStatement()) {
                s.execute("CREATE TABLE IF NOT EXISTS j_account (id INT AUTO_INCREMENT PRIMARY KEY, owner VARCHAR(60), amount INT) ENGINE=InnoDB");
            }
            int requests = Integer.parseInt(System.getenv("TG_REQUESTS"));
            for (int number = 0; number < requests; number++) {
                request(pool, number);
            }
        }
    }

    static void request(HikariDataSource pool, int number) throws Exception {
        int id;
        try (Connection c = pool.getConnection(); Statement s = c.createStatement()) {
            s.execute("DO 'request'");
        }
        try (Connection c = pool.getConnection();
                PreparedStatement insert = c.prepareStatement("INSERT INTO j_account (owner, amount) VALUES (?, ?)", Statement.RETURN_GENERATED_KEYS)) {
            insert.setString(1, "owner " + number);
            insert.setInt(2, 100);
            insert.executeUpdate();
            try (ResultSet keys = insert.getGeneratedKeys()) {
                keys.next();
                id = keys.getInt(1);
            }
        }
        try (Connection c = pool.getConnection()) {
            c.setAutoCommit(false);
            try (PreparedStatement update = c.prepareStatement("UPDATE j_account SET amount = amount - ? WHERE id = ?")) {
                update.setInt(1, 30);
                update.setInt(2, id);
                update.executeUpdate();
            }
            c.commit();
        }
        try (Connection c = pool.getConnection()) {
            c.setReadOnly(true);
            c.setAutoCommit(false);
            try (PreparedStatement select = c.prepareStatement("SELECT amount FROM j_account WHERE id = ?")) {
                select.setInt(1, id);
                try (ResultSet rows = select.executeQuery()) {
                    rows.next();
                    if (rows.getInt(1) != 70) {
                        throw new IllegalStateException("amount " + rows.getInt(1));
                    }
                }
            }
            c.rollback();
        }
        try (Connection c = pool.getConnection(); PreparedStatement delete = c.prepareStatement("DELETE FROM j_account WHERE id = ?")) {
            delete.setInt(1, id);
            delete.executeUpdate();
        }
    }
}
