import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.HexFormat;
import java.util.Properties;
import org.postgresql.PGConnection;

/**
 * Runs queries in every way that pgjdbc has and prints what came, a line a query and way.
 * Usage: Pgjdbc URL USER PASSWORD (NAME QUERY)…
 */
public class Pgjdbc {
  public static void main(String[] args) throws Exception {
    for (String mode : new String[] {"simple", "extended", "extendedForPrepared"}) {
      Properties info = new Properties();
      info.setProperty("user", args[1]);
      info.setProperty("password", args[2]);
      info.setProperty("preferQueryMode", mode);
      info.setProperty("prepareThreshold", "2");
      info.setProperty("binaryTransfer", "true");
      info.setProperty("gssEncMode", "disable");
      try (Connection db = DriverManager.getConnection(args[0], info)) {
        db.setAutoCommit(false);
        for (int at = 3; at + 1 < args.length; at += 2) {
          run(db, mode, args[at], args[at + 1]);
        }
      }
    }
  }

  static void run(Connection db, String mode, String name, String sql) throws Exception {
    try (Statement each = db.createStatement()) {
      tell(name, mode + " statement", each.executeQuery(sql));
      each.setFetchSize(2);
      tell(name, mode + " fetch size", each.executeQuery(sql));
    }
    try (PreparedStatement each = db.prepareStatement(sql)) {
      for (int n = 0; n < 4; n++) {
        tell(name, mode + " prepared " + n, each.executeQuery());
      }
    }
    for (String form : new String[] {"text", "csv"}) {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      db.unwrap(PGConnection.class)
          .getCopyAPI()
          .copyOut("copy (" + sql + ") to stdout (format " + form + ")", out);
      line(name, mode + " copy " + form, out.toString(StandardCharsets.ISO_8859_1));
    }
    db.commit();
  }

  static void tell(String name, String way, ResultSet rows) throws Exception {
    StringBuilder seen = new StringBuilder();
    int width = rows.getMetaData().getColumnCount();
    while (rows.next()) {
      for (int at = 1; at <= width; at++) {
        Object value = rows.getObject(at);
        seen.append(value instanceof byte[] bytes ? HexFormat.of().formatHex(bytes) : value);
        seen.append('|');
      }
      seen.append(' ');
    }
    line(name, way, seen.toString());
  }

  static void line(String name, String way, String text) {
    String plain = text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n");
    System.out.println("[\"" + name + "\", \"" + way + "\", \"" + plain + "\"]");
  }
}
