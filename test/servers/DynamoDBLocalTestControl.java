import com.amazonaws.services.dynamodbv2.local.server.DynamoDBProxyServer;
import com.amazonaws.services.dynamodbv2.local.server.LocalDynamoDBRequestHandler;
import com.amazonaws.services.dynamodbv2.local.server.LocalDynamoDBServerHandler;

/**
 * DynamoDB Local with its test control on, for which version 1.11.478 has no option. Run from source:
 * java -Djava.library.path=DynamoDBLocal_lib -cp DynamoDBLocal.jar DynamoDBLocalTestControl.java PORT
 */
public class DynamoDBLocalTestControl {
	public static void main(String[] args) throws Exception {
		int port = Integer.parseInt(args[0]);
		System.setProperty("org.eclipse.jetty.LEVEL", "WARN");
		// Arguments of the constructor, which is not public: version, in memory, data folder, shared, delays of
		// transient states, test control.
		var constructor = LocalDynamoDBRequestHandler.class.getDeclaredConstructor(
				int.class, boolean.class, String.class, boolean.class, boolean.class, boolean.class);
		constructor.setAccessible(true);
		var handler = constructor.newInstance(0, true, null, true, false, true);
		var server = new DynamoDBProxyServer(port, new LocalDynamoDBServerHandler(handler, "*"));
		server.start();
		server.join();
	}
}
