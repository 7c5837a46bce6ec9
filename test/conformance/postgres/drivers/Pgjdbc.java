import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

/**
 * Drives pgjdbc and prints what it saw, a line a step. Usage: Pgjdbc URL USER PASSWORD. The same
 * lines must come out directly and through the gateway.
 */
public class Pgjdbc {
  static void tell(String step, Object value) {
    System.out.println(step + ": " + value);
  }

  public static void main(String[] args) throws Exception {
    Properties info = new Properties();
    info.setProperty("user", args[1]);
    info.setProperty("password", args[2]);
    info.setProperty("prepareThreshold", "3");
    info.setProperty("binaryTransfer", "true");
    info.setProperty("gssEncMode", "disable");
    try (Connection db = DriverManager.getConnection(args[0], info)) {
      run(db);
    }
  }

  static void run(Connection db) throws Exception {
    try (Statement each = db.createStatement()) {
      each.execute("drop table if exists public.drvj");
      each.execute("create table public.drvj (id int primary key, name text, n numeric, at timestamp)");
    }
    db.setAutoCommit(false);
    try (PreparedStatement insert = db.prepareStatement("insert into public.drvj values (?, ?, ?, ?)")) {
      for (int n = 0; n < 400; n++) {
        insert.setInt(1, n);
        insert.setString(2, "name " + n + " é");
        insert.setBigDecimal(3, new java.math.BigDecimal(n).movePointLeft(2));
        insert.setTimestamp(4, java.sql.Timestamp.valueOf("2024-02-29 12:00:00"));
        insert.addBatch();
      }
      tell("batch", insert.executeBatch().length);
    }
    db.commit();
    StringBuilder seen = new StringBuilder();
    try (PreparedStatement select = db.prepareStatement("select id, name, n, at from public.drvj where id = ?")) {
      for (int n = 0; n < 8; n++) {
        select.setInt(1, n);
        try (ResultSet rows = select.executeQuery()) {
          while (rows.next()) {
            seen.append(rows.getInt(1)).append(rows.getString(2)).append(rows.getBigDecimal(3)).append(rows.getTimestamp(4));
          }
        }
      }
    }
    tell("prepared", seen);
    try (Statement each = db.createStatement()) {
      each.setFetchSize(50);
      long sum = 0;
      try (ResultSet rows = each.executeQuery("select id from public.drvj order by id")) {
        while (rows.next()) sum += rows.getInt(1);
      }
      tell("fetch size", sum);
    }
    Savepoint point = db.setSavepoint("a");
    try (Statement each = db.createStatement()) {
      each.execute("insert into public.drvj values (1, 'twice')");
    } catch (SQLException error) {
      tell("error", error.getSQLState());
      db.rollback(point);
    }
    db.commit();
    CopyManager copy = db.unwrap(PGConnection.class).getCopyAPI();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    tell("copy out", copy.copyOut("copy public.drvj to stdout (format csv)", out) + " " + out.size());
    byte[] rows = "900,copied,1.5,\n901,,,\n".getBytes(StandardCharsets.UTF_8);
    tell("copy in", copy.copyIn("copy public.drvj from stdin (format csv)", new ByteArrayInputStream(rows)));
    db.commit();
    try (ResultSet tables = db.getMetaData().getColumns(null, "public", "drvj", null)) {
      StringBuilder names = new StringBuilder();
      while (tables.next()) names.append(tables.getString("COLUMN_NAME")).append(' ');
      tell("metadata", names);
    }
    try (Statement each = db.createStatement()) {
      Thread canceller = new Thread(() -> {
        try {
          Thread.sleep(700);
          each.cancel();
        } catch (Exception error) {
          throw new RuntimeException(error);
        }
      });
      canceller.start();
      each.execute("select pg_sleep(20)");
      tell("cancel", "did not");
    } catch (SQLException error) {
      tell("cancel", error.getSQLState());
    }
    db.rollback();
    try (Statement each = db.createStatement()) {
      each.execute("drop table public.drvj");
    }
    db.commit();
    tell("done", db.getAutoCommit());
  }
}
