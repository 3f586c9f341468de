import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

/** MariaDB Connector/J on tidegate's console: its start, text and server-side prepared statements, errors. */
public class Console {
    public static void main(String[] arguments) throws Exception {
        String url = "jdbc:mariadb://" + System.getenv("TG_HOST") + ":" + System.getenv("TG_PORT") + "/?useServerPrepStmts=true";
        try (Connection c = DriverManager.getConnection(url, System.getenv("TG_USER"), System.getenv("TG_PASSWORD"))) {
            try (Statement s = c.createStatement(); ResultSet r = s.executeQuery("SHOW PINS")) {
                r.next();
                System.out.println("text " + r.getString("reason") + " " + r.getString("user"));
            }
            try (PreparedStatement s = c.prepareStatement("SHOW PINS"); ResultSet r = s.executeQuery()) {
                r.next();
                if (r.getDouble("held_seconds") <= 0 || r.getLong("client") < 0x40000000L) throw new Exception("numbers");
                System.out.println("binary " + r.getString("reason") + " " + r.getString("user"));
            }
            System.out.println("valid " + c.isValid(5));
            System.out.println("catalog " + c.getCatalog());
            try (Statement s = c.createStatement()) {
                s.execute("DROP TABLE t");
            } catch (SQLException error) {
                System.out.println("error " + error.getErrorCode());
            }
        }
    }
}
