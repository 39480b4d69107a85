// The invented guests. Their numbers are in a range that Italy gives to nobody.

export const GUESTS = [
  {
    phone: "+390000000001", name: "Giulia Prova", language: "it", languageName: "Italiano",
    hello: "Buongiorno, Giulia", placeholder: "Scrivi un messaggio",
    ideas: ["A che ora è il check-in?", "Qual è la password del Wi-Fi?", "Dove posso parcheggiare?", "A che ora è la colazione?"],
  },
  {
    phone: "+390000000002", name: "Emma Sample", language: "en", languageName: "English",
    hello: "Good morning, Emma", placeholder: "Write a message",
    ideas: ["What time is check-in?", "What is the Wi-Fi password?", "Where can I park?", "When is breakfast?"],
  },
  {
    phone: "+390000000003", name: "Lukas Muster", language: "de", languageName: "Deutsch",
    hello: "Guten Morgen, Lukas", placeholder: "Nachricht schreiben",
    ideas: ["Ab wann kann ich einchecken?", "Wie lautet das WLAN-Passwort?", "Wo kann ich parken?", "Wann gibt es Frühstück?"],
  },
  {
    phone: "+390000000004", name: "Camille Exemple", language: "fr", languageName: "Français",
    hello: "Bonjour, Camille", placeholder: "Écrire un message",
    ideas: ["À quelle heure est l’arrivée ?", "Quel est le mot de passe du Wi-Fi ?", "Où puis-je me garer ?", "À quelle heure est le petit-déjeuner ?"],
  },
  {
    phone: "+390000000005", name: "Lucía Ejemplo", language: "es", languageName: "Español",
    hello: "Buenos días, Lucía", placeholder: "Escribe un mensaje",
    ideas: ["¿A qué hora es la entrada?", "¿Cuál es la contraseña del wifi?", "¿Dónde puedo aparcar?", "¿A qué hora es el desayuno?"],
  },
];
