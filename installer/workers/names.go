package workers

var (
	departments = []string{"Engineering", "Sales", "Finance", "Legal", "Logistics", "Marketing", "Production", "Research", "Service"}
	locations   = []string{"Berlin", "Gdańsk", "Lyon", "Malmö", "Porto", "Trieste"}
	titles      = []string{"Analyst", "Assistant", "Consultant", "Engineer", "Lead", "Manager", "Principal", "Specialist"}
	firstNames  = []string{
		"Ada", "Ağça", "Aleksander", "Amélie", "Ana", "Anders", "Andrea", "Anneliese", "Benoît", "Björn", "Carla", "Chloé", "Daniel",
		"Dörte", "Elena", "Élodie", "Emil", "Ewa", "Fatma", "François", "Frida", "Giulia", "Göran", "Hannah", "Håkon", "Helena",
		"İlker", "Inês", "Ivo", "Jan", "João", "Jürgen", "Kateřina", "Klaus", "Łukasz", "Lena", "Lucía", "Luís", "Maëlle", "Marek",
		"Maria", "Mats", "Mehmet", "Michał", "Mónica", "Nadia", "Noah", "Olga", "Ömer", "Paolo", "Paula", "Pierre", "Quentin",
		"Renée", "Rosa", "Ruben", "Sébastien", "Sofia", "Søren", "Stefan", "Şule", "Tereza", "Thibaut", "Tomáš", "Ulrike", "Vera",
		"Wanda", "William", "Xavier", "Yasmin", "Zoë", "Žofia",
	}
	lastNames = []string{
		"Åberg", "Almeida", "Andersson", "Bauer", "Beaulieu", "Becker", "Bianchi", "Björklund", "Brandt", "Çelik", "Costa", "Cruz",
		"D'Angelo", "de la Fuente", "Demir", "Dubois", "Dupont", "Dvořák", "Eriksson", "Fernandes", "Ferrari", "Fischer", "Fournier",
		"García", "Głowacki", "Gonçalves", "Großmann", "Hansen", "Hoffmann", "Horák", "Jansen", "Jensen", "Kaya", "Kowalski", "Krüger",
		"Lambert", "Larsen", "Lefèvre", "Lindqvist", "Lopes", "Łuczak", "Martin", "Meißner", "Moreau", "Müller", "Nagy", "Neumann",
		"Nielsen", "Novák", "Nowak", "O'Brien", "Öztürk", "Pereira", "Petersen", "Ricci", "Rossi", "Roux", "Sánchez", "Schäfer",
		"Schmidt", "Schröder", "Silva", "Şimşek", "Sjögren", "Sørensen", "Svensson", "Szymański", "Thompson", "van den Berg", "Vogel",
		"Wagner", "Weiß", "Wiśniewski", "Yılmaz", "Zając", "Zimmermann",
	}
)
