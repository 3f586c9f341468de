import java.io.File;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.sql.BatchUpdateException;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Savepoint;
import java.sql.Statement;
import java.sql.Types;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.regex.Matcher;

/** MariaDB Connector/J: text and server-side prepared statements, batches, cursors, savepoints, cancel, timeouts. */
public class Session {
    static final String SCHEMA = System.getenv("TG_SCHEMA");
    static final String OTHER = SCHEMA + "_other";
    static final boolean TLS = "1".equals(System.getenv("TG_TLS"));
    static final int BIG = 17 * 1024 * 1024;
    static final int FULL_PACKET = 0xFFFFFF - 4;
    static Path tables;

    interface Action { Object run() throws Exception; }
    interface Step { void run(Connection c) throws Exception; }

    public static void main(String[] arguments) throws Exception {
        tables = Path.of(arguments[0]);
        try {
            prepare();
            step("types", Session::types);
            step("parameters", Session::parameters);
            step("many", Session::manyAndBig);
            step("results", Session::results);
            step("transactions", Session::transactions);
            step("errors", Session::errors);
            step("counts", Session::counts);
            step("batches", Session::batches);
            step("load", Session::load);
            step("state", Session::state);
            step("logins", c -> logins());
            step("cancel", Session::cancel);
        } finally {
            try (Connection c = connect("", "")) {
                execute(c, "DROP DATABASE IF EXISTS " + SCHEMA);
                execute(c, "DROP DATABASE IF EXISTS " + OTHER);
            }
        }
    }

    static void step(String name, Step step) throws Exception {
        out("== " + name);
        try (Connection c = connect(SCHEMA, "")) {
            step.run(c);
        }
    }

    static Connection connect(String schema, String options) throws SQLException {
        return login(schema, options, System.getenv("TG_USER"), System.getenv("TG_PASSWORD"));
    }

    static Connection login(String schema, String options, String user, String password) throws SQLException {
        String tls = TLS ? "&useSsl=true&trustServerCertificate=true" : "&useSsl=false&allowPublicKeyRetrieval=true";
        String url = "jdbc:mariadb://" + System.getenv("TG_HOST") + ":" + System.getenv("TG_PORT") + "/" + schema
            + "?connectTimeout=20000&serverTimezone=UTC&connectionAttributes=program_name:tidegate-drivers" + tls + options;
        return DriverManager.getConnection(url, user, password);
    }

    static void prepare() throws Exception {
        try (Connection c = connect("", "")) {
            out("no schema", rows(c, "SELECT DATABASE()"));
            for (String name : new String[] {SCHEMA, OTHER}) {
                execute(c, "DROP DATABASE IF EXISTS " + name);
                execute(c, "CREATE DATABASE " + name + " DEFAULT CHARACTER SET utf8mb4");
            }
            c.setCatalog(SCHEMA);
            for (String sql : Files.readString(tables).split(";;\n")) {
                if (!sql.isBlank()) execute(c, sql);
            }
            out("server", c.getMetaData().getDatabaseProductName(), c.getMetaData().getDatabaseProductVersion(), rows(c, "SELECT VERSION()"));
        }
    }

    static void types(Connection text) throws Exception {
        try (Connection binary = connect(SCHEMA, "&useServerPrepStmts=true")) {
            for (Connection c : new Connection[] {text, binary}) {
                try (PreparedStatement s = c.prepareStatement("SELECT * FROM every_type WHERE id > ? ORDER BY id")) {
                    s.setInt(1, 0);
                    try (ResultSet r = s.executeQuery()) {
                        columns(r.getMetaData());
                        while (r.next()) out("row", row(r));
                    }
                }
                out("empty", rows(c, "SELECT * FROM every_type WHERE id < 0"));
            }
        }
        try (ResultSet r = text.getMetaData().getColumns(SCHEMA, null, "every_type", "c_%")) {
            while (r.next()) out("described", r.getString("COLUMN_NAME"), r.getString("TYPE_NAME"), r.getInt("COLUMN_SIZE"));
        }
    }

    static void columns(ResultSetMetaData m) throws Exception {
        for (int i = 1; i <= m.getColumnCount(); i++) {
            out("column", m.getColumnName(i), m.getColumnType(i), m.getPrecision(i), m.getScale(i), m.isNullable(i), m.isSigned(i), m.getTableName(i));
        }
    }

    static void parameters(Connection text) throws Exception {
        byte[] every = new byte[256];
        for (int n = 0; n < 256; n++) every[n] = (byte) n;
        try (Connection binary = connect(SCHEMA, "&useServerPrepStmts=true")) {
            for (Connection c : new Connection[] {text, binary}) {
                execute(c, "DELETE FROM param");
                try (PreparedStatement s = c.prepareStatement("INSERT INTO param (i, u, d, x, s, b, dt, da, ti) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", Statement.RETURN_GENERATED_KEYS)) {
                    s.setLong(1, -1);
                    s.setString(2, "18446744073709551615");
                    s.setDouble(3, 1.5);
                    s.setBigDecimal(4, new BigDecimal("-12.34567"));
                    s.setString(5, "Zürich 日本語 😀 ' \" \\ end");
                    s.setBytes(6, every);
                    s.setTimestamp(7, java.sql.Timestamp.valueOf("2024-02-29 12:34:56.000789"));
                    s.setDate(8, java.sql.Date.valueOf("1999-12-31"));
                    s.setTime(9, java.sql.Time.valueOf("12:34:56"));
                    attempt("inserted", () -> s.executeUpdate());
                    try (ResultSet keys = s.getGeneratedKeys()) {
                        out("has a key", keys.next() && keys.getLong(1) > 0);
                    }
                    for (int i = 1; i <= 9; i++) s.setNull(i, Types.VARCHAR);
                    attempt("inserted", () -> s.executeUpdate());
                    s.setBinaryStream(6, new java.io.ByteArrayInputStream(every));
                    attempt("streamed in", () -> s.executeUpdate());
                }
                out("rows", rows(c, "SELECT i, u, d, x, s, b, dt, da, ti FROM param ORDER BY id"));
                for (String sql : new String[] {"SELEKT ?", "SELECT * FROM missing WHERE a = ?", "INSERT INTO digit VALUES (?)"}) {
                    attempt(sql, () -> {
                        try (PreparedStatement s = c.prepareStatement(sql)) {
                            s.setInt(1, 1);
                            return s.execute();
                        }
                    });
                }
                out("alive", rows(c, "SELECT 'alive'"));
            }
        }
    }

    static void manyAndBig(Connection c) throws Exception {
        try (Statement s = c.createStatement()) {
            out("stored", rolling(s.executeQuery("SELECT n, s FROM many ORDER BY n")));
            s.setFetchSize(1000);
            out("streamed", rolling(s.executeQuery("SELECT n, s FROM many ORDER BY n")));
            try (ResultSet r = s.executeQuery("SELECT n, s FROM many ORDER BY n")) {
                out("left early", r.next());
            }
        }
        if (((Number) first(c, "SELECT @@max_allowed_packet")).longValue() < BIG + 1024 * 1024) {
            out("max_allowed_packet is too small");
            return;
        }
        String text = "0123456789abcdef".repeat(BIG / 16);
        for (String options : new String[] {"", "&useServerPrepStmts=true"}) {
            try (Connection own = connect(SCHEMA, options); PreparedStatement s = own.prepareStatement("SELECT ?")) {
                s.setString(1, text);
                try (ResultSet r = s.executeQuery()) {
                    r.next();
                    out("17 MiB there and back", r.getString(1).equals(text));
                }
            }
        }
        for (int size : new int[] {FULL_PACKET - 1, FULL_PACKET, FULL_PACKET + 1}) {
            try (Statement s = c.createStatement(); ResultSet r = s.executeQuery("SELECT REPEAT('x', " + size + ")")) {
                r.next();
                out("edge of a packet", r.getBytes(1).length);
            }
        }
    }

    static void results(Connection unused) throws Exception {
        try (Connection c = connect(SCHEMA, "&allowMultiQueries=true"); Statement s = c.createStatement()) {
            for (String sql : new String[] {"SELECT 1; UPDATE account SET amount = amount WHERE id = 1; SELECT 2, 3; DO 1; SELECT n FROM digit WHERE n < 2 ORDER BY n",
                "CALL three_results(7, @b)", "SELECT @b", "SELECT 1; SELECT * FROM missing; SELECT 2", "CALL fails_half_way()", "SELECT 'alive'"}) {
                attempt(sql, () -> {
                    boolean has = s.execute(sql);
                    while (has || s.getUpdateCount() >= 0) {
                        out("result", has ? all(s.getResultSet()) : s.getUpdateCount());
                        has = s.getMoreResults();
                    }
                    return "done";
                });
            }
            try (CallableStatement call = c.prepareCall("{CALL three_results(?, ?)}")) {
                call.setInt(1, 4);
                call.registerOutParameter(2, Types.INTEGER);
                call.execute();
                out("out parameter", call.getInt(2));
            }
        }
        attempt("one only", () -> execute(unused, "SELECT 1; SELECT 2"));
    }

    static void transactions(Connection c) throws Exception {
        String amount = "SELECT amount FROM account WHERE id = 1";
        try (Connection other = connect(SCHEMA, "")) {
            c.setAutoCommit(false);
            execute(c, "UPDATE account SET amount = 150 WHERE id = 1");
            out("seen", rows(c, amount), rows(other, amount));
            execute(other, "SET innodb_lock_wait_timeout = 1");
            attempt("lock wait", () -> execute(other, "UPDATE account SET amount = 6 WHERE id = 1"));
            c.rollback();
            execute(c, "UPDATE account SET amount = 160 WHERE id = 1");
            Savepoint point = c.setSavepoint("a");
            execute(c, "UPDATE account SET amount = 170 WHERE id = 1");
            c.rollback(point);
            attempt("no such savepoint", () -> execute(c, "ROLLBACK TO SAVEPOINT nowhere"));
            c.commit();
            out("committed", rows(other, amount), c.getAutoCommit());
            for (int level : new int[] {Connection.TRANSACTION_REPEATABLE_READ, Connection.TRANSACTION_READ_COMMITTED}) {
                c.setTransactionIsolation(level);
                Object before = rows(c, amount);
                execute(other, "UPDATE account SET amount = amount + 1 WHERE id = 1");
                out("isolation", c.getTransactionIsolation(), before, rows(c, amount));
                c.rollback();
            }
            c.setReadOnly(true);
            out("read only", c.isReadOnly());
            c.setReadOnly(false);
            execute(c, "UPDATE account SET amount = 0 WHERE id = 1");
            c.close();
            out("a close rolls back", rows(other, amount + " FOR UPDATE"));
        }
    }

    static void errors(Connection c) throws Exception {
        for (String sql : new String[] {"SELEKT 1", "SELECT * FROM missing", "SELECT missing FROM digit", "INSERT INTO digit VALUES (1)", "INSERT INTO digit VALUES ('not a number')",
            "SELECT no_function(1)", "DROP TABLE missing", "SELECT (SELECT n FROM digit)", "KILL 999999999", "CALL nothing()"}) {
            attempt(sql, () -> execute(c, sql));
        }
        for (String sql : new String[] {"SELECT 'abc' + 0, 1/0", "DROP TABLE IF EXISTS missing", "SELECT 1"}) {
            try (Statement s = c.createStatement()) {
                out(sql, s.execute(sql));
                for (SQLWarning w = s.getWarnings(); w != null; w = w.getNextWarning()) out("warning", w.getErrorCode(), w.getSQLState(), w.getMessage());
            }
        }
    }

    static void counts(Connection c) throws Exception {
        try (Statement s = c.createStatement()) {
            out("inserted", s.executeUpdate("INSERT INTO ticket (name) VALUES ('a'), ('b'), ('c')", Statement.RETURN_GENERATED_KEYS));
            try (ResultSet keys = s.getGeneratedKeys()) {
                keys.next();
                out("first id", rows(c, "SELECT LAST_INSERT_ID() = " + keys.getLong(1)));
            }
            out("own id", s.executeUpdate("INSERT INTO ticket (id, name) VALUES (1000, 'd')", Statement.RETURN_GENERATED_KEYS), all(s.getGeneratedKeys()));
            out("found", s.executeUpdate("UPDATE ticket SET name = 'a' WHERE name = 'a'"));
        }
        try (Connection changed = connect(SCHEMA, "&useAffectedRows=true"); Statement s = changed.createStatement()) {
            out("changed only", s.executeUpdate("UPDATE ticket SET name = 'a' WHERE name = 'a'"));
        }
    }

    static void batches(Connection unused) throws Exception {
        for (String options : new String[] {"", "&useServerPrepStmts=true", "&rewriteBatchedStatements=true", "&useBulkStmts=true"}) {
            try (Connection c = connect(SCHEMA, options)) {
                execute(c, "DELETE FROM loaded");
                try (PreparedStatement s = c.prepareStatement("INSERT INTO loaded VALUES (?, ?, ?)")) {
                    for (int n = 0; n < 500; n++) {
                        s.setInt(1, n);
                        s.setString(2, "Zürich " + n);
                        s.setString(3, n % 3 == 0 ? null : "x");
                        s.addBatch();
                    }
                    out("batch", options, s.executeBatch().length, rows(c, "SELECT COUNT(*), SUM(a), COUNT(c), SUM(LENGTH(b)) FROM loaded"));
                }
                try (PreparedStatement s = c.prepareStatement("INSERT INTO account VALUES (?, 0)")) {
                    for (int n : new int[] {50, 1, 51}) {
                        s.setInt(1, n);
                        s.addBatch();
                    }
                    attempt("a duplicate inside", () -> s.executeBatch().length);
                }
                out("after it", rows(c, "SELECT id FROM account ORDER BY id"));
                execute(c, "DELETE FROM account WHERE id > 2");
            }
        }
    }

    static void load(Connection c) throws Exception {
        File file = File.createTempFile("tidegate", ".csv");
        try (Connection own = connect(SCHEMA, "&allowLocalInfile=true")) {
            StringBuilder lines = new StringBuilder();
            for (int n = 0; n < 20000; n++) lines.append(n).append(";Zürich ").append(n).append(';').append(n % 7).append('\n');
            Files.writeString(file.toPath(), lines);
            execute(own, "DELETE FROM loaded");
            execute(own, "LOAD DATA LOCAL INFILE '" + file + "' INTO TABLE loaded CHARACTER SET utf8mb4 FIELDS TERMINATED BY ';'");
            out("loaded", rows(own, "SELECT COUNT(*), SUM(a), SUM(LENGTH(b)), SUM(c) FROM loaded"));
            attempt("no such file", () -> execute(own, "LOAD DATA LOCAL INFILE '/nowhere/at/all' INTO TABLE loaded"));
            out("alive", rows(own, "SELECT 'alive'"));
        } finally {
            file.delete();
        }
        try (Connection refused = connect(SCHEMA, "&allowLocalInfile=false")) {
            attempt("not allowed", () -> execute(refused, "LOAD DATA LOCAL INFILE '/nowhere/at/all' INTO TABLE loaded"));
        }
    }

    static void state(Connection c) throws Exception {
        c.setCatalog(OTHER);
        out("catalog", c.getCatalog(), rows(c, "SELECT DATABASE()"));
        attempt("unknown", () -> { c.setCatalog("tidegate_no_such_schema"); return 1; });
        out("valid", c.isValid(2), c.getMetaData().getUserName().replaceAll("@.*", "@HOST"));
        out("session", rows(c, "SELECT @@character_set_client, @@collation_connection, @@autocommit, @@sql_mode"));
        try (Connection set = connect(SCHEMA, "&sessionVariables=sql_mode='ANSI',wait_timeout=77")) {
            out("session variables", rows(set, "SELECT \"digit\".n, @@wait_timeout FROM digit WHERE n = 1"));
        }
        try (Connection z = connect(SCHEMA, "&useCompression=true"); Statement s = z.createStatement()) {
            out("compressed", rolling(s.executeQuery("SELECT n, s FROM many ORDER BY n")));
        }
        try (Connection p = connect(SCHEMA, "&pool=true&maxPoolSize=2&minPoolSize=1&useResetConnection=false")) {
            out("pool", rows(p, "SELECT 1"));
        }
    }

    static void logins() throws Exception {
        String user = System.getenv("TG_USER"), password = System.getenv("TG_PASSWORD");
        attempt("wrong password", () -> login(SCHEMA, "", user, "wrong"));
        attempt("no password", () -> login(SCHEMA, "", user, ""));
        attempt("unknown user", () -> login(SCHEMA, "", "tidegate_nobody", password));
        attempt("unknown schema", () -> login("tidegate_no_such_schema", "", user, password));
    }

    static void cancel(Connection c) throws Exception {
        long began = System.nanoTime();
        Statement sleeper = c.createStatement();
        Thread killer = new Thread(() -> {
            try (Connection other = connect(SCHEMA, "")) {
                String running = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%" + SCHEMA + "%' AND state = 'User sleep'";
                for (int tries = 0; ((Number) first(other, running)).intValue() != 1 && tries < 1000; tries++) Thread.sleep(20);
                sleeper.cancel();
            } catch (Exception e) {
                throw new RuntimeException(e);
            }
        });
        killer.start();
        attempt("killed", () -> all(sleeper.executeQuery("SELECT SLEEP(30), '" + SCHEMA + "'")));
        killer.join();
        out("at once", System.nanoTime() - began < 15_000_000_000L, rows(c, "SELECT 'alive'"));
    }

    static void attempt(String what, Action action) throws Exception {
        try {
            Object result = action.run();
            out(what, result instanceof Connection ? "connected" : result);
        } catch (BatchUpdateException e) {
            out(what, e.getErrorCode(), e.getSQLState(), e.getMessage(), e.getUpdateCounts());
        } catch (SQLException e) {
            out(what, e.getErrorCode(), e.getSQLState(), e.getMessage());
        }
    }

    static boolean execute(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement()) {
            return s.execute(sql);
        }
    }

    static String rows(Connection c, String sql) throws Exception {
        try (Statement s = c.createStatement()) {
            return all(s.executeQuery(sql));
        }
    }

    static Object first(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(sql)) {
            r.next();
            return r.getObject(1);
        }
    }

    static String all(ResultSet r) throws Exception {
        StringBuilder text = new StringBuilder();
        while (r.next()) text.append(row(r));
        return text.toString();
    }

    static String row(ResultSet r) throws Exception {
        StringBuilder text = new StringBuilder("(");
        for (int i = 1; i <= r.getMetaData().getColumnCount(); i++) {
            if (i > 1) text.append(", ");
            try {
                text.append(show(r.getObject(i)));
            } catch (SQLException e) {
                text.append(r.getString(i));
            }
        }
        return text.append(")").toString();
    }

    static String rolling(ResultSet r) throws SQLException {
        long count = 0, total = 0;
        while (r.next()) {
            total = (total * 31 + r.getInt(1) + r.getString(2).length()) % 1000000007;
            count++;
        }
        return count + " " + total;
    }

    static String show(Object value) throws Exception {
        if (value instanceof java.sql.Blob) {
            java.sql.Blob blob = (java.sql.Blob) value;
            value = blob.getBytes(1, (int) blob.length());
        }
        if (value instanceof int[]) return Arrays.toString((int[]) value);
        if (value instanceof byte[]) {
            byte[] bytes = (byte[]) value;
            return "bytes(" + bytes.length + ") " + HexFormat.of().formatHex(bytes, 0, Math.min(20, bytes.length)) + " " + digest(bytes);
        }
        String text = String.valueOf(value);
        return text.length() > 3000 ? "text(" + text.length() + ") " + digest(text.getBytes(StandardCharsets.UTF_8)) : text.replace("\n", "\\n");
    }

    static String digest(byte[] bytes) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(bytes)).substring(0, 12);
    }

    static void out(String what, Object... values) throws Exception {
        StringBuilder line = new StringBuilder(what.replace("\n", " ")).append(": ");
        for (int i = 0; i < values.length; i++) line.append(i > 0 ? " | " : "").append(show(values[i]));
        String masked = line.toString().replaceAll("'[^']*'@'[^']*'", Matcher.quoteReplacement("'USER'@'HOST'"))
            .replaceAll("\\(conn=\\d+\\)", "(conn=ID)").replaceAll("conn:\\d+", "conn:ID").replaceAll("Java thread: \\S+", "").replaceAll("port=\\d+|:\\d{4,5}", "PORT").replace(SCHEMA, "SCHEMA");
        new java.io.PrintStream(System.out, true, StandardCharsets.UTF_8).println(masked);
    }
}
